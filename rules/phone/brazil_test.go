package phone

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/nyaruka/phonenumbers"
)

var compared = flag.Int("compared", 20_000, "how many numbers are compared with the library")

// What is found by the beginning of a number is what the library says of the whole of it.
func TestBrazilianNumbersAreThoseOfTheLibrary(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range *compared {
		number := fmt.Sprintf("+55%02d%09d", random.IntN(100), random.IntN(1_000_000_000))
		switch random.IntN(4) {
		case 0:
			number = number[:len(number)-1]
		case 1:
			number = number[:5] + "9" + number[6:]
		}
		normal, err := Normalize(number)
		if agrees := err == nil && normal == number; SurelyNormal(number) && !agrees {
			t.Fatalf("%s: the library says %q, %v", number, normal, err)
		}
		if got, _ := Received(number); SurelyNormal(got.E164) {
			n, valid := parseNormal(got.Digits)
			want := Number{got.Digits, phonenumbers.Format(n, phonenumbers.E164), countryOf(n), areaOf(n)}
			if !valid || got != want {
				t.Fatalf("%s is read as %+v, and by the library as %+v, valid %v", number, got, want, valid)
			}
		}
	}
	for _, s := range []string{"+5511988887777", "+551122361741", "+5543999951234"} {
		if !SurelyNormal(s) {
			t.Errorf("%s goes the slow way", s)
		}
	}
}

func BenchmarkSurelyNormal(b *testing.B) {
	for b.Loop() {
		if !SurelyNormal("+5511988887777") {
			b.Fatal("it goes the slow way")
		}
	}
}

func BenchmarkReceived(b *testing.B) {
	for _, number := range []string{"5511988887777", "4930123456"} {
		b.Run(number, func(b *testing.B) {
			for b.Loop() {
				if _, ok := Received(number); !ok {
					b.Fatal("it is no number")
				}
			}
		})
	}
}

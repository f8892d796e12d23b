package report

import (
	"encoding/xml"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"callrouter/rules/ruletest"
)

// The elements of a JUnit report, as CI systems read them.
type (
	junitReport struct {
		XMLName  xml.Name     `xml:"testsuites"`
		Tests    int          `xml:"tests,attr"`
		Failures int          `xml:"failures,attr"`
		Errors   int          `xml:"errors,attr"`
		Time     string       `xml:"time,attr"`
		Suites   []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name     string      `xml:"name,attr"`
		Tests    int         `xml:"tests,attr"`
		Failures int         `xml:"failures,attr"`
		Errors   int         `xml:"errors,attr"`
		Time     string      `xml:"time,attr"`
		Cases    []junitCase `xml:"testcase"`
		took     time.Duration
	}
	junitCase struct {
		Name      string      `xml:"name,attr"`
		ClassName string      `xml:"classname,attr"`
		File      string      `xml:"file,attr"`
		Line      int         `xml:"line,attr,omitempty"`
		Time      string      `xml:"time,attr"`
		Failure   *junitFault `xml:"failure"`
		Error     *junitFault `xml:"error"`
	}
	junitFault struct {
		Message string `xml:"message,attr"`
		Type    string `xml:"type,attr"`
		Text    string `xml:",chardata"`
	}
)

// WriteJUnit writes them as a JUnit report. Whoever reads the file sees the old one or the whole new one.
func (r *Tests) WriteJUnit(path string) error {
	data, err := xml.MarshalIndent(junitOf(r), "", "  ")
	if err != nil {
		return err
	}
	return writeWhole(path, append([]byte(xml.Header), append(data, '\n')...))
}

func junitOf(r *Tests) junitReport {
	out := junitReport{Time: seconds(r.Took)}
	index := map[string]int{}
	suite := func(file string) *junitSuite {
		i, ok := index[file]
		if !ok {
			i = len(out.Suites)
			index[file] = i
			out.Suites = append(out.Suites, junitSuite{Name: file})
		}
		return &out.Suites[i]
	}
	for _, p := range r.Problems {
		s := suite(p.File)
		s.Tests, s.Errors = s.Tests+1, s.Errors+1
		s.Cases = append(s.Cases, junitCase{
			Name: fmt.Sprintf(
				"%s at %d:%d",
				p.Code,
				p.Line,
				p.Column,
			), ClassName: p.File, File: p.File, Line: p.Line, Time: seconds(0),
			Error: &junitFault{p.Message, p.Code, p.String()},
		})
	}
	for _, result := range r.Cases {
		s := suite(result.File)
		s.Tests++
		s.took += result.Took
		s.Time = seconds(s.took)
		c := junitCase{
			Name:      result.Name,
			ClassName: result.File,
			File:      result.File,
			Line:      result.Line,
			Time:      seconds(result.Took),
		}
		if !result.OK {
			s.Failures++
			c.Failure = faultOf(result)
		}
		s.Cases = append(s.Cases, c)
	}
	for i := range out.Suites {
		s := &out.Suites[i]
		if s.Time == "" {
			s.Time = seconds(0)
		}
		out.Tests, out.Failures, out.Errors = out.Tests+s.Tests, out.Failures+s.Failures, out.Errors+s.Errors
	}
	return out
}

func faultOf(result ruletest.CaseResult) *junitFault {
	f := &junitFault{Type: "failed", Message: "it could not be run"}
	if result.Expected != nil && result.Got != nil {
		f.Message = fmt.Sprintf("expected %s, got %s", *result.Expected, *result.Got)
	}
	f.Text = fmt.Sprintf("%s:%d\ncall: %s", result.File, result.Line, result.Call)
	if result.Why != nil {
		f.Text += "\n" + *result.Why
	}
	return f
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.6f", d.Seconds()) }

// writeWhole replaces a file in one step.
func writeWhole(path string, data []byte) (err error) {
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(file.Name()) // it is err that counts
		}
	}()
	_, err = file.Write(data)
	if err == nil {
		err = file.Chmod(0o644)
	}
	if closed := file.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return err
	}
	return os.Rename(file.Name(), path)
}

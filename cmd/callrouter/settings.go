package main

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"callrouter/cmd/callrouter/internal/report"
	"callrouter/rules/hours"

	"github.com/alecthomas/kong"
)

// settings are the flags of serve; each has an environment variable. Secrets are only read from variables or files.
type settings struct {
	Rules          string   `short:"r" env:"CALLROUTER_RULES" default:"rules.yaml" placeholder:"FILE" help:"Rules file."`
	Store          string   `env:"CALLROUTER_STORE" default:"callrouter.db" help:"Where calls are kept: a file path (one process), or redis://... or rediss://... (any number of processes)."`
	StoreDown      string   `env:"CALLROUTER_STORE_DOWN" enum:"decide,refuse" default:"decide" help:"What to do with calls while the store is down: decide in memory, or refuse the webhook so that Positus repeats it."`
	Listen         string   `env:"CALLROUTER_LISTEN" default:":8080" help:"Public side: webhooks and health."`
	InternalListen string   `env:"CALLROUTER_INTERNAL_LISTEN" default:"127.0.0.1:8081" help:"Internal side: API and metrics."`
	PositusURL     string   `name:"positus-url" env:"CALLROUTER_POSITUS_URL" default:"https://api.positus.global/v2" help:"Positus API."`
	WebhookSources []string `env:"CALLROUTER_WEBHOOK_SOURCES" placeholder:"CIDR,..." help:"Addresses allowed to post webhooks. Default: any that knows the secret."`
	TrustedProxies []string `env:"CALLROUTER_TRUSTED_PROXIES" placeholder:"CIDR,..." help:"Proxies whose X-Forwarded-For is trusted."`
	Retention      duration `env:"CALLROUTER_RETENTION" default:"90d" help:"How long records of ended calls are kept."`
	Drain          duration `env:"CALLROUTER_DRAIN" placeholder:"DURATION" help:"On shutdown, report not ready for this long before closing the webhook port (max 5s, default 0)."`
	LogFormat      string   `env:"CALLROUTER_LOG_FORMAT" enum:"auto,text,json" default:"auto" help:"text, json, or auto: text on a terminal, else json."`
	InternalURL    string   `name:"internal-url" env:"CALLROUTER_INTERNAL_URL" placeholder:"URL" help:"The URL at which outside answerers reach the internal side. Default: its address on this machine."`
	ConsoleURL     string   `name:"console-url" env:"CALLROUTER_CONSOLE_URL" placeholder:"URL" help:"Where browsers find the pages, e.g. https://calls.example.com. Other host names are refused. Default: any."`
	PublicIP       string   `name:"public-ip" env:"CALLROUTER_PUBLIC_IP" placeholder:"IP" help:"The address at which WhatsApp reaches this machine for audio, if NAT gives it another one."`
	AudioLoopback  bool     `env:"CALLROUTER_AUDIO_LOOPBACK" help:"Keep all audio on 127.0.0.1, for tests against a simulated Positus."`
}

// checkConsoleURL refuses what links of agents could not begin with.
func (s *settings) checkConsoleURL() error {
	u, err := url.Parse(s.ConsoleURL)
	if s.ConsoleURL == "" || err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" &&
		strings.Trim(u.Path, "/") == "" && u.RawQuery == "" && u.Fragment == "" {
		return nil
	}
	return usage("--console-url: %q is not the address of a host; write https://HOST or http://HOST:PORT", s.ConsoleURL)
}

// duration may also be written in days.
type duration time.Duration

// Decode implements kong.MapperValue.
func (d *duration) Decode(ctx *kong.DecodeContext) error {
	var s string
	if err := ctx.Scan.PopValueInto("duration", &s); err != nil {
		return err
	}
	v, err := hours.ParseDuration(s)
	*d = duration(v)
	return err
}

// secrets come from the environment, or from files that it names.
type secrets struct {
	positusToken   string
	webhookSecrets []string
	adminToken     string
}

const (
	envPositusToken  = "POSITUS_TOKEN"
	envWebhookSecret = "CALLROUTER_WEBHOOK_SECRET"
	envAdminToken    = "CALLROUTER_ADMIN_TOKEN"
	minSecret        = 16 // characters, of a webhook secret
)

// readSecrets reads all secrets. Its error names every missing one, and how to make it.
func readSecrets(getenv func(string) string) (secrets, error) {
	var missing []string
	read := func(name, how string) string {
		v, err := readSecret(getenv, name)
		switch {
		case err != nil:
			missing = append(missing, err.Error())
		case v == "":
			missing = append(
				missing,
				fmt.Sprintf("%s is not set: %s (or name a file with it in %s_FILE)", name, how, name),
			)
		}
		return v
	}
	s := secrets{
		positusToken: read(envPositusToken, "generate an API token at studio.posit.us, under my account"),
		adminToken:   read(envAdminToken, "make one with: openssl rand -hex 24"),
	}
	webhook := read(envWebhookSecret, "make one with: openssl rand -hex 24")
	for w := range strings.SplitSeq(webhook, ",") {
		if w = strings.TrimSpace(w); w != "" && len(w) < minSecret {
			missing = append(
				missing,
				fmt.Sprintf(
					"%s is shorter than %d characters: make one with: openssl rand -hex 24",
					envWebhookSecret,
					minSecret,
				),
			)
		} else if err := checkInURL(w); err != nil {
			missing = append(missing, err.Error())
		} else if w != "" {
			s.webhookSecrets = append(s.webhookSecrets, w)
		}
	}
	if n := len(s.webhookSecrets); webhook != "" && (n == 0 && len(missing) == 0 || n > 2) {
		missing = append(
			missing,
			fmt.Sprintf("%s has %s: write one, or two with a comma between them while one replaces the other",
				envWebhookSecret, report.Plural(n, "secret")),
		)
	}
	if len(missing) > 0 {
		return s, usage("serve cannot start:\n  %s", strings.Join(missing, "\n  "))
	}
	return s, nil
}

// checkInURL refuses a webhook secret that a URL would not carry as it stands.
func checkInURL(secret string) error {
	bad := func(r rune) bool {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
		return !letter && !strings.ContainsRune("-._~!$&'()*+;=:@/", r)
	}
	segments := strings.Split(secret, "/")
	cleaned := slices.ContainsFunc(segments, func(s string) bool { return s == "" || s == "." || s == ".." })
	if secret != "" && (cleaned || strings.ContainsFunc(secret, bad)) {
		return fmt.Errorf(
			"%s cannot stand at the end of a URL, as it has a character such as ? # %% or a space, or an empty part "+
				"between slashes, so that no webhook would get through: make one with: openssl rand -hex 24",
			envWebhookSecret,
		)
	}
	return nil
}

// weak warns of secrets that work but can be guessed.
func (s secrets) weak(log *slog.Logger) {
	if len(s.adminToken) < minSecret {
		log.Warn(
			fmt.Sprintf(
				"%s is shorter than %d characters, so it can be guessed: make one with: openssl rand -hex 24",
				envAdminToken,
				minSecret,
			),
		)
	}
}

func readSecret(getenv func(string) string, name string) (string, error) {
	if v := getenv(name); v != "" {
		return v, nil
	}
	path := getenv(name + "_FILE")
	if path == "" {
		return "", nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("%s_FILE: %w", name, err)
	}
	return strings.TrimSpace(string(data)), nil
}

// envICEServers holds servers for agents' browsers. It is no flag, since servers of TURN have a password.
const envICEServers = "CALLROUTER_ICE_SERVERS"

// readICEServers reads the servers that agents' browsers may need to reach WhatsApp's audio, as RTCPeerConnection wants
// them; nil if there are none.
func readICEServers(getenv func(string) string) (json.RawMessage, error) {
	text, err := readSecret(getenv, envICEServers)
	if err != nil {
		return nil, usage("%s", err)
	}
	if text == "" {
		return nil, nil
	}
	type server struct {
		URLs any `json:"urls"`
	}
	var all []server
	err = json.Unmarshal([]byte(text), &all)
	if err != nil || slices.ContainsFunc(all, func(s server) bool { return s.URLs == nil }) {
		return nil, usage(`%s is not a JSON list of servers such as [{"urls": "stun:stun.example.com"}]`, envICEServers)
	}
	return json.RawMessage(text), nil
}

// prefixes reads addresses and CIDRs.
func prefixes(flag string, values []string) ([]netip.Prefix, error) {
	var out []netip.Prefix
	for _, v := range values {
		v = strings.TrimSpace(v)
		p, err := netip.ParsePrefix(v)
		if err != nil {
			a, aerr := netip.ParseAddr(v)
			if aerr != nil {
				return nil, usage(
					"%s: %q is neither an address nor a CIDR such as 137.184.60.206 or 10.0.0.0/8",
					flag,
					v,
				)
			}
			p = netip.PrefixFrom(a.Unmap(), a.Unmap().BitLen())
		}
		out = append(out, p.Masked())
	}
	return slices.Compact(out), nil
}

// logger writes to standard error.
func (s *settings) logger(env *environment) *slog.Logger {
	text := s.LogFormat == "text"
	if s.LogFormat == "auto" {
		if f, ok := env.stderr.(*os.File); ok {
			info, err := f.Stat()
			text = err == nil && info.Mode()&os.ModeCharDevice != 0
		}
	}
	if text {
		return slog.New(slog.NewTextHandler(env.stderr, nil))
	}
	return slog.New(slog.NewJSONHandler(env.stderr, nil))
}

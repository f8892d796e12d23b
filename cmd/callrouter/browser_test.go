package main

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"callrouter/store/storetest"
)

// browser is a Chromium that tests drive over a pair of pipes (Chrome DevTools Protocol, messages end in a zero byte).
// All tests share one; each has a context of its own, with its own cookies and storage.
type browser struct {
	cmd    *exec.Cmd
	out    io.Writer
	mu     sync.Mutex
	last   int
	calls  map[int]chan reply
	events map[string]func(method string, params json.RawMessage) // by session
}

type reply struct {
	Result json.RawMessage
	Error  *struct{ Message string }
}

var chromium struct {
	once sync.Once
	b    *browser
	err  error
}

// startBrowser returns the browser of all tests. Without one a test is skipped, or fails with CALLROUTER_TEST_ALL=1.
func startBrowser(t *testing.T) *browser {
	t.Helper()
	path := os.Getenv("CALLROUTER_CHROMIUM")
	if path == "" {
		path = storetest.Need(t, "chromium", "Chromium (apt-get install chromium), or set CALLROUTER_CHROMIUM")
	}
	chromium.once.Do(func() { chromium.b, chromium.err = launchBrowser(path) })
	if chromium.err != nil {
		t.Fatal(chromium.err)
	}
	return chromium.b
}

func launchBrowser(path string) (*browser, error) {
	profile, err := os.MkdirTemp("", "callrouter-browser-")
	if err != nil {
		return nil, err
	}
	theirs, ours, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	in, back, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(path, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
		"--remote-debugging-pipe", "--user-data-dir="+profile, "--use-fake-device-for-media-stream",
		"--allow-loopback-in-peer-connection", "--disable-background-networking", "about:blank")
	cmd.ExtraFiles = []*os.File{theirs, back}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	theirs.Close()
	back.Close()
	b := &browser{cmd: cmd, out: ours, calls: map[int]chan reply{}, events: map[string]func(string, json.RawMessage){}}
	done := make(chan struct{})
	go func() { defer close(done); b.read(in) }()
	binary.cleanup = append(binary.cleanup, func() {
		_ = b.call("", "Browser.close", nil, nil)
		<-done
		_ = cmd.Wait()
		_ = os.RemoveAll(profile)
	})
	return b, nil
}

func (b *browser) read(in io.Reader) {
	messages := bufio.NewReaderSize(in, 1<<20)
	for {
		text, err := messages.ReadBytes(0)
		if err != nil {
			break
		}
		var m struct {
			ID        int
			SessionID string
			Method    string
			Params    json.RawMessage
			reply
		}
		if json.Unmarshal(text[:len(text)-1], &m) != nil {
			continue
		}
		b.mu.Lock()
		waits, hears := b.calls[m.ID], b.events[m.SessionID]
		delete(b.calls, m.ID)
		b.mu.Unlock()
		switch {
		case m.ID > 0 && waits != nil:
			waits <- m.reply
		case m.Method != "" && hears != nil:
			hears(m.Method, m.Params)
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for id, waits := range b.calls {
		close(waits)
		delete(b.calls, id)
	}
}

// call sends a command, and decodes its result unless that is nil.
func (b *browser) call(session, method string, params, result any) error {
	waits := make(chan reply, 1)
	b.mu.Lock()
	b.last++
	id := b.last
	b.calls[id] = waits
	if params == nil {
		params = struct{}{}
	}
	m := map[string]any{"id": id, "method": method, "params": params}
	if session != "" {
		m["sessionId"] = session
	}
	doc, err := json.Marshal(m)
	if err == nil {
		_, err = b.out.Write(append(doc, 0))
	}
	b.mu.Unlock()
	if err != nil {
		return err
	}
	select {
	case r, ok := <-waits:
		switch {
		case !ok:
			return fmt.Errorf("%s: the browser is gone", method)
		case r.Error != nil:
			return fmt.Errorf("%s: %s", method, r.Error.Message)
		case result != nil:
			return json.Unmarshal(r.Result, result)
		}
		return nil
	case <-time.After(30 * time.Second):
		return fmt.Errorf("%s: no reply within 30 s", method)
	}
}

// visit is one person's browser: a context of its own.
type visit struct {
	t       *testing.T
	b       *browser
	context string
}

// visit opens a context in which pages of an origin have these permissions, such as audioCapture and notifications.
func (b *browser) visit(t *testing.T, origin string, granted ...string) *visit {
	t.Helper()
	v := &visit{t: t, b: b}
	var made struct{ BrowserContextID string }
	v.must(b.call("", "Target.createBrowserContext", nil, &made))
	v.context = made.BrowserContextID
	t.Cleanup(func() {
		_ = b.call("", "Target.disposeBrowserContext", map[string]any{"browserContextId": v.context}, nil)
	})
	v.must(b.call("", "Browser.grantPermissions",
		map[string]any{"browserContextId": v.context, "origin": origin, "permissions": append([]string{}, granted...)}, nil))
	return v
}

func (v *visit) must(err error) {
	v.t.Helper()
	if err != nil {
		v.t.Fatal(err)
	}
}

// tab is one tab. Errors of its scripts and violations of its policy fail the test.
type tab struct {
	*visit
	session, target string
	dialogs         chan string
	crashed         chan struct{} // receives when the page has crashed
}

// watched keeps the connections that a page makes, so that tests can measure them and see that none is left.
const watched = `{
  const Real = window.RTCPeerConnection;
  window.pcs = [];
  window.RTCPeerConnection = function(...a) { const pc = new Real(...a); window.pcs.push(pc); return pc; };
  window.tracks = [];
  const gum = navigator.mediaDevices && navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  if (gum) navigator.mediaDevices.getUserMedia = async (c) => {
    if (window.gumError) throw new DOMException(window.gumError, window.gumError);
    const s = await gum(c); window.tracks.push(...s.getTracks()); return s;
  };
  window.notes = [];
  if (window.Notification) window.Notification = class extends Notification {
    constructor(title, options) { super(title, options); window.notes.push(title + ': ' + options.body); }
  };
  window.violations = [];
  addEventListener('securitypolicyviolation', (e) => window.violations.push(e.violatedDirective + ' ' + e.blockedURI + ' ' + e.sample));
}`

// open opens a tab. scripts run before those of the page.
func (v *visit) open(url string, scripts ...string) *tab {
	v.t.Helper()
	var made struct{ TargetID string }
	v.must(v.b.call("", "Target.createTarget", map[string]any{"url": "about:blank", "browserContextId": v.context}, &made))
	var attached struct{ SessionID string }
	v.must(v.b.call("", "Target.attachToTarget", map[string]any{"targetId": made.TargetID, "flatten": true}, &attached))
	p := &tab{visit: v, session: attached.SessionID, target: made.TargetID, dialogs: make(chan string, 10), crashed: make(chan struct{}, 1)}
	v.b.mu.Lock()
	v.b.events[p.session] = p.event
	v.b.mu.Unlock()
	for _, domain := range []string{"Page", "Runtime", "Inspector"} {
		p.do(domain+".enable", nil)
	}
	for _, s := range append([]string{watched}, scripts...) {
		p.do("Page.addScriptToEvaluateOnNewDocument", map[string]any{"source": s})
	}
	p.do("Page.navigate", map[string]any{"url": url})
	return p
}

func (p *tab) event(method string, params json.RawMessage) {
	switch method {
	case "Runtime.exceptionThrown":
		p.t.Errorf("a script of the page failed: %.900s", params)
	case "Inspector.targetCrashed":
		p.crashed <- struct{}{}
	case "Page.javascriptDialogOpening":
		var d struct{ Type string }
		_ = json.Unmarshal(params, &d)
		p.dialogs <- d.Type
		go func() { _ = p.b.call(p.session, "Page.handleJavaScriptDialog", map[string]any{"accept": true}, nil) }()
	}
}

func (p *tab) do(method string, params any) {
	p.t.Helper()
	p.must(p.b.call(p.session, method, params, nil))
}

// eval runs an expression in the page, without counting as a gesture of its user, and decodes what it returns.
func (p *tab) eval(expression string, result any) error {
	var r struct {
		Result           struct{ Value json.RawMessage }
		ExceptionDetails *struct{ Exception struct{ Description string } }
	}
	err := p.b.call(p.session, "Runtime.evaluate", map[string]any{
		"expression": expression, "awaitPromise": true, "returnByValue": true, "userGesture": false,
	}, &r)
	switch {
	case err != nil:
		return err
	case r.ExceptionDetails != nil:
		return fmt.Errorf("%s: %s", expression, r.ExceptionDetails.Exception.Description)
	case result == nil || len(r.Result.Value) == 0:
		return nil
	}
	return json.Unmarshal(r.Result.Value, result)
}

func (p *tab) text(expression string) string {
	p.t.Helper()
	var s string
	p.must(p.eval("String("+expression+")", &s))
	return s
}

func (p *tab) number(expression string) float64 {
	p.t.Helper()
	var n float64
	p.must(p.eval("Number("+expression+")", &n))
	return n
}

// until waits for an expression to be true, and returns how long that took.
func (p *tab) until(d time.Duration, expression string) time.Duration {
	p.t.Helper()
	began := time.Now()
	is := func() bool {
		var yes bool
		err := p.eval("!!("+expression+")", &yes)
		return err == nil && yes // a page that is being loaded has no context for a moment
	}
	if !soon(d, is) {
		p.shot("failed-" + strings.ReplaceAll(p.t.Name(), "/", "-") + ".png")
		p.t.Fatalf("not within %s: %s\nthe page: %s", d, expression, p.summary())
	}
	return time.Since(began)
}

func (p *tab) summary() string {
	var s string
	_ = p.eval(`JSON.stringify({...document.querySelector('main').dataset, banners: document.querySelector('[data-testid=banner]').innerText})`, &s)
	return s
}

// is waits until the page is in a state. Available is only who is connected, too: without that no call rings.
func (p *tab) is(d time.Duration, state string) time.Duration {
	p.t.Helper()
	expr := fmt.Sprintf("document.querySelector('main').dataset.state === %q", state)
	if state == "available" {
		expr += " && document.querySelector('main').dataset.stream === 'open'"
	}
	return p.until(d, expr)
}

func testID(id string) string { return "[data-testid=" + id + "]" }

// click clicks with the mouse, as a user does.
func (p *tab) click(id string) {
	p.t.Helper()
	sel := testID(id)
	p.until(5*time.Second, fmt.Sprintf(`(e => e && !e.disabled && e.offsetParent !== null)(document.querySelector('%s'))`, sel))
	var at struct{ X, Y float64 }
	p.must(p.eval(fmt.Sprintf(`(e => { e.scrollIntoView({block: 'center'}); const r = e.getBoundingClientRect();
		return {x: r.x + r.width / 2, y: r.y + r.height / 2}; })(document.querySelector('%s'))`, sel), &at))
	for _, kind := range []string{"mousePressed", "mouseReleased"} {
		p.do("Input.dispatchMouseEvent", map[string]any{"type": kind, "x": at.X, "y": at.Y, "button": "left", "clickCount": 1})
	}
}

// key presses a key.
func (p *tab) key(key string) {
	p.t.Helper()
	for _, kind := range []string{"keyDown", "keyUp"} {
		p.do("Input.dispatchKeyEvent", map[string]any{"type": kind, "key": key, "text": key})
	}
}

// close closes the tab as a user does, so that the page hears of it.
func (p *tab) close() {
	p.t.Helper()
	p.do("Page.close", nil)
}

// shot keeps a picture of the page in the folder that CALLROUTER_TEST_PICTURES names, if it names one.
func (p *tab) shot(name string) {
	folder := os.Getenv("CALLROUTER_TEST_PICTURES")
	if folder == "" {
		return
	}
	var picture struct{ Data string }
	if err := p.b.call(p.session, "Page.captureScreenshot", map[string]any{"format": "png"}, &picture); err != nil {
		p.t.Log(err)
		return
	}
	data, err := base64.StdEncoding.DecodeString(picture.Data)
	if err == nil {
		err = os.WriteFile(folder+"/"+name, data, 0o600)
	}
	if err != nil {
		p.t.Log(err)
	}
}

// screen sets the size of the tab, and whether it is dark.
func (p *tab) screen(width, height int, dark bool) {
	p.t.Helper()
	scheme := "light"
	if dark {
		scheme = "dark"
	}
	p.do("Emulation.setDeviceMetricsOverride", map[string]any{"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600})
	p.do("Emulation.setEmulatedMedia", map[string]any{"features": []map[string]string{{"name": "prefers-color-scheme", "value": scheme}}})
}

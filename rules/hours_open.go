package rules

import "time"

// Open says whether hours are open at an instant, by their plan or by a switch in rt (which may be nil). known is false if
// the file has no such hours.
func (f *File) Open(name string, at time.Time, rt *Runtime) (open, known bool) {
	i, known := f.hoursByName[name]
	if !known {
		return false, false
	}
	var sw *Switch
	if rt != nil {
		if s, ok := rt.Switches[name]; ok {
			sw = &s
		}
	}
	return f.hours[i].open(at, sw), true
}

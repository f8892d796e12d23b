package storetest

import (
	"context"
	"maps"
	"time"

	"callrouter/engine"
	"callrouter/rules"
)

// Switches is part of [engine.Overrides].
func (m *Memory) Switches(ctx context.Context) (map[string]rules.Switch, error) {
	all := map[string]rules.Switch{}
	return all, m.step(ctx, func(now time.Time) ([]string, error) {
		for hours, sw := range m.switches {
			if !past(sw.Until, now) {
				all[hours] = sw
			}
		}
		return nil, nil
	})
}

// override changes a switch or an entry.
func (m *Memory) override(ctx context.Context, do func() error) error {
	return m.step(ctx, func(time.Time) ([]string, error) { return []string{engine.TopicOverrides}, do() })
}

// SetSwitch is part of [engine.Overrides].
func (m *Memory) SetSwitch(ctx context.Context, hours string, s rules.Switch) error {
	return m.override(ctx, func() error { m.switches[hours] = s; return nil })
}

// ClearSwitch is part of [engine.Overrides].
func (m *Memory) ClearSwitch(ctx context.Context, hours string) error {
	return m.override(ctx, func() error { delete(m.switches, hours); return nil })
}

// Entries is part of [engine.Overrides].
func (m *Memory) Entries(ctx context.Context, list string) ([]rules.Entry, error) {
	all, err := m.AllEntries(ctx, []string{list})
	return all[list], err
}

// AllEntries is part of [engine.Overrides].
func (m *Memory) AllEntries(ctx context.Context, lists []string) (map[string][]rules.Entry, error) {
	all := map[string][]rules.Entry{}
	return all, m.step(ctx, func(now time.Time) ([]string, error) {
		for _, list := range lists {
			for _, e := range m.entries[list] {
				if !past(e.Until, now) {
					all[list] = append(all[list], e)
				}
			}
		}
		return nil, nil
	})
}

// PutEntry is part of [engine.Overrides].
func (m *Memory) PutEntry(ctx context.Context, list string, e rules.Entry) error {
	return m.override(ctx, func() error {
		if m.entries[list] == nil {
			m.entries[list] = map[string]rules.Entry{}
		}
		m.entries[list][e.Key] = e
		return nil
	})
}

// DeleteEntry is part of [engine.Overrides].
func (m *Memory) DeleteEntry(ctx context.Context, list, key string) error {
	return m.override(ctx, func() error {
		if _, ok := m.entries[list][key]; !ok {
			return engine.ErrNotFound
		}
		delete(m.entries[list], key)
		return nil
	})
}

// Once is part of [engine.Limits].
func (m *Memory) Once(ctx context.Context, key string, every time.Duration) (first bool, err error) {
	err = m.step(ctx, func(now time.Time) ([]string, error) {
		if first = past(m.once[key], now) || m.once[key].IsZero(); first {
			m.once[key] = now.Add(every)
		}
		return nil, nil
	})
	return first, err
}

// purge removes overrides that ended before t, and limits of [Memory.Once] that are over.
func (m *Memory) purge(t, now time.Time) {
	for version, v := range m.versions {
		if v.touched.Before(t.Add(-24 * time.Hour)) {
			delete(m.versions, version)
		}
	}
	ended := func(until time.Time) bool { return !until.IsZero() && until.Before(t) }
	maps.DeleteFunc(m.switches, func(_ string, s rules.Switch) bool { return ended(s.Until) })
	for _, list := range m.entries {
		maps.DeleteFunc(list, func(_ string, e rules.Entry) bool { return ended(e.Until) })
	}
	maps.DeleteFunc(m.once, func(_ string, until time.Time) bool { return past(until, now) })
}

// PutVersion is part of [engine.Versions].
func (m *Memory) PutVersion(ctx context.Context, version string, packed []byte) error {
	return m.step(ctx, func(now time.Time) ([]string, error) {
		m.versions[version] = memoryVersion{packed, now}
		return nil, nil
	})
}

// TouchVersion is part of [engine.Versions].
func (m *Memory) TouchVersion(ctx context.Context, version string) error {
	return m.step(ctx, func(now time.Time) ([]string, error) {
		v, ok := m.versions[version]
		if !ok {
			return nil, engine.ErrNotFound
		}
		v.touched = now
		m.versions[version] = v
		return nil, nil
	})
}

// Version is part of [engine.Versions].
func (m *Memory) Version(ctx context.Context, version string) (packed []byte, err error) {
	err = m.step(ctx, func(time.Time) ([]string, error) {
		v, ok := m.versions[version]
		if !ok {
			return nil, engine.ErrNotFound
		}
		packed = v.packed
		return nil, nil
	})
	return packed, err
}

package console

import (
	"context"
	"errors"
	"net/http"
	"time"

	"callrouter/engine"
	"callrouter/rules"
)

// Lists is the reply of GET /api/v1/lists.
type Lists struct {
	Lists []List `json:"lists"`
}

// Entry is a caller who was put on a list at run time.
type Entry struct {
	Number string     `json:"number"` // normal form, or id: and a user id
	Note   string     `json:"note"`
	Until  *time.Time `json:"until"` // null: for good
}

// List is a list of the rules file, and what was added to it at run time.
type List struct {
	List    string  `json:"list"`
	Store   bool    `json:"store"`   // kept at run time only
	InFile  int     `json:"in_file"` // how many entries the file has
	Entries []Entry `json:"entries"` // set at run time
}

func newEntry(e rules.Entry) Entry { return Entry{Number: e.Key, Note: e.Note, Until: orNull(e.Until)} }

// listInfos reads lists with their entries, in the order given.
func (a *api) listInfos(ctx context.Context, lists []rules.List) ([]List, error) {
	all, err := a.Store.AllEntries(ctx, namesOf(lists, func(l rules.List) string { return l.Name }))
	if err != nil {
		return nil, err
	}
	infos := make([]List, 0, len(lists))
	for _, l := range lists {
		info := List{List: l.Name, Store: l.Store, InFile: l.Size, Entries: []Entry{}}
		for _, e := range all[l.Name] {
			info.Entries = append(info.Entries, newEntry(e))
		}
		infos = append(infos, info)
	}
	return infos, nil
}

func (a *api) lists(w http.ResponseWriter, r *http.Request, _ identity) error {
	infos, err := a.listInfos(r.Context(), a.Engine.Rules().Lists())
	if err != nil {
		return err
	}
	return reply(w, http.StatusOK, Lists{infos})
}

// list finds the list that a path names.
func (a *api) list(r *http.Request) (rules.List, error) {
	name := r.PathValue("list")
	all := a.Engine.Rules().Lists()
	for _, l := range all {
		if l.Name == name {
			return l, nil
		}
	}
	return rules.List{}, unknown("list", name, namesOf(all, func(l rules.List) string { return l.Name }))
}

func (a *api) getList(w http.ResponseWriter, r *http.Request, _ identity) error {
	l, err := a.list(r)
	if err != nil {
		return err
	}
	infos, err := a.listInfos(r.Context(), []rules.List{l})
	if err != nil {
		return err
	}
	return reply(w, http.StatusOK, infos[0])
}

// listAndKey finds the list, and the caller's key, that a path names.
func (a *api) listAndKey(r *http.Request) (rules.List, string, error) {
	l, err := a.list(r)
	if err != nil {
		return l, "", err
	}
	key, err := rules.ParseEntry(r.PathValue("number"))
	if err != nil {
		return l, "", invalid("invalid_number", "%s (a caller without a number: id:USER_ID)", err)
	}
	return l, key, nil
}

// EntryRequest is the body that puts a caller on a list; none is needed.
type EntryRequest struct {
	Note  string `json:"note,omitempty"`
	Until string `json:"until,omitempty"` // a time, or a duration from now; empty: for good
}

func (a *api) putEntry(w http.ResponseWriter, r *http.Request, _ identity) error {
	l, key, err := a.listAndKey(r)
	if err != nil {
		return err
	}
	var body EntryRequest
	if _, err := readOptional(w, r, bodyLimit, &body, "note, until"); err != nil {
		return err
	}
	e := rules.Entry{Key: key, Note: body.Note}
	if body.Until != "" {
		if e.Until, err = a.until(body.Until, "this entry"); err != nil {
			return err
		}
	}
	if err := a.Store.PutEntry(r.Context(), l.Name, e); err != nil {
		return err
	}
	a.refresh(r.Context())
	a.Logger.Info("the administrator added to a list", "list", l.Name, "until", e.Until)
	return reply(w, http.StatusOK, newEntry(e))
}

func (a *api) deleteEntry(w http.ResponseWriter, r *http.Request, _ identity) error {
	l, key, err := a.listAndKey(r)
	if err != nil {
		return err
	}
	err = a.Store.DeleteEntry(r.Context(), l.Name, key)
	if errors.Is(err, engine.ErrNotFound) {
		return problem(http.StatusNotFound, "not_listed",
			"the list has no such run-time entry; entries of the rules file are removed in the file")
	}
	if err != nil {
		return err
	}
	a.refresh(r.Context())
	a.Logger.Info("the administrator removed from a list", "list", l.Name)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// refresh puts what was just stored in force here at once; the store has woken the other instances. A failure is only a
// delay, because the engine reads it again by itself.
func (a *api) refresh(ctx context.Context) {
	if err := a.Engine.RefreshOverrides(ctx); err != nil {
		a.Logger.Warn("stored, but not in force on this instance yet; it is in a moment", "error", err)
	}
}

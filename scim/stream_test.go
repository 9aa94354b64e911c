package scim_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/gorilla/mux"

	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/store"
)

// crowd stores users, and groups that all of them are members of.
func (tn *tenant) crowd(users, groups int) (members []string) {
	tn.t.Helper()
	now := directory.Now()
	tn.transact(func(tx *store.Tx) {
		members = members[:0]
		for i := range users {
			u := directory.User{ID: directory.NewUserID(), UserName: fmt.Sprint("u", i), Active: true,
				Resource: json.RawMessage(`{}`), CreatedAt: now, ModifiedAt: now, Revision: 1}
			tx.CreateUser(u)
			members = append(members, string(u.ID))
		}
		for i := range groups {
			g := directory.Group{ID: directory.NewGroupID(), DisplayName: fmt.Sprint("g", i),
				Resource: json.RawMessage(fmt.Sprintf(`{"displayName":"g%d"}`, i)), CreatedAt: now, ModifiedAt: now, Revision: 1}
			tx.CreateGroup(g)
			tx.AddMembers(g.ID, members)
		}
	})
	return members
}

// observer is a client that watches how its answer comes.
type observer struct {
	httptest.ResponseRecorder
	writes, largest int
	onWrite         func(total int) error
}

func (o *observer) Write(b []byte) (int, error) {
	o.writes++
	o.largest = max(o.largest, len(b))
	if o.onWrite != nil {
		if err := o.onWrite(o.Body.Len()); err != nil {
			return 0, err
		}
	}
	return o.ResponseRecorder.Write(b)
}

// observe sends a GET past the network. It reports whether the connection was cut.
func (tn *tenant) observe(ctx context.Context, o *observer, path string) (cut bool) {
	tn.t.Helper()
	router := mux.NewRouter()
	tn.handler.Mount(router)
	r := httptest.NewRequestWithContext(ctx, "GET", tn.base+path, nil)
	r.Header.Set("Authorization", "Bearer "+tn.token)
	defer func() {
		if p := recover(); p != nil {
			if p != http.ErrAbortHandler {
				panic(p)
			}
			cut = true
		}
	}()
	if o.Body == nil {
		o.ResponseRecorder = *httptest.NewRecorder()
	}
	router.ServeHTTP(o, r)
	return false
}

// Three lists of 40 MB each, every one in a buffer, once took 281 MB.
func TestListOfLargeGroupsFillsNoMemory(t *testing.T) {
	databases(t, func(t *testing.T, s *service) {
		tn := s.newTenant()
		const users, groups = 1000, 60
		members := tn.crowd(users, groups)
		live := func() uint64 {
			var m runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&m)
			return m.HeapAlloc
		}
		o := &observer{}
		o.ResponseRecorder = *httptest.NewRecorder()
		o.Body.Grow(16 << 20) // what is measured below is not the client's
		before, most := live(), uint64(0)
		o.onWrite = func(int) error {
			if o.writes%32 == 0 {
				most = max(most, live())
			}
			return nil
		}
		if tn.observe(t.Context(), o, "/Groups?count=1000") {
			t.Fatal("the connection was cut")
		}
		t.Logf("%d bytes in %d writes, the largest %d; %d bytes more held", o.Body.Len(), o.writes, o.largest, int64(most-before))
		if o.Body.Len() < 8<<20 || o.largest > 64<<10 {
			t.Errorf("%d bytes in %d writes, the largest %d, want at most 64 KiB", o.Body.Len(), o.writes, o.largest)
		}
		if most > before+(4<<20) {
			t.Errorf("%d bytes are held during the answer", most-before)
		}
		var list struct {
			TotalResults, ItemsPerPage int
			Resources                  []struct {
				DisplayName string
				Members     []struct{ Value string }
			}
		}
		unmarshal(t, o.Body.String(), &list)
		if list.TotalResults != groups || list.ItemsPerPage != groups || len(list.Resources) != groups {
			t.Fatalf("%d of %d groups, itemsPerPage %d", len(list.Resources), list.TotalResults, list.ItemsPerPage)
		}
		for i, g := range list.Resources {
			if len(g.Members) != users || g.Members[0].Value != members[0] || g.Members[users-1].Value != members[users-1] {
				t.Errorf("group %d %s: %d members", i, g.DisplayName, len(g.Members))
			}
		}

		r := tn.must(200, "GET", "/Groups", "")
		if r.header.Get("Content-Length") != "" || r.len("Resources") != groups {
			t.Errorf("Content-Length %q, %d groups", r.header.Get("Content-Length"), r.len("Resources"))
		}
		if r := tn.must(200, "HEAD", "/Groups", ""); r.text != "" {
			t.Errorf("HEAD shows %d bytes", len(r.text))
		}
		r = tn.must(200, "GET", "/Groups?excludedAttributes=members", "")
		if r.header.Get("Content-Length") != fmt.Sprint(len(r.text)) || strings.Contains(r.text, "usr_") {
			t.Errorf("without members: Content-Length %q of %d", r.header.Get("Content-Length"), len(r.text))
		}
	})
}

// A group is larger than what is read of it at once.
func TestGroupLargerThanAPortionIsShownWhole(t *testing.T) {
	tn := newService(t, "").newTenant()
	members := tn.crowd(20_001, 1)
	group := tn.must(200, "GET", "/Groups?excludedAttributes=members", "").string("Resources", 0, "id")
	for _, path := range []string{"/Groups", "/Groups/" + group} {
		o := &observer{}
		if tn.observe(t.Context(), o, path) || o.largest > 64<<10 {
			t.Errorf("%s: cut, or a write of %d bytes", path, o.largest)
		}
		if path != "/Groups" && o.Header().Get("ETag") != `W/"1"` {
			t.Errorf("ETag %q", o.Header().Get("ETag"))
		}
		shown := regexp.MustCompile(`"value":"(usr_[^"]*)"`).FindAllStringSubmatch(o.Body.String(), -1)
		if !slices.EqualFunc(shown, slices.Sorted(slices.Values(members)), func(match []string, id string) bool { return match[1] == id }) {
			t.Errorf("%s shows %d members, not each of %d once", path, len(shown), len(members))
		}
	}
}

func TestErrorAfterTheFirstByteCutsTheConnection(t *testing.T) {
	tn := newService(t, "").newTenant()
	tn.crowd(300, 120)
	for _, tt := range []struct {
		name string
		err  error // of the client's
	}{
		{"the database fails", nil},
		{"the client is gone", errors.New("broken pipe")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			o := &observer{onWrite: func(int) error { cancel(); return tt.err }} // no query succeeds from then on
			if !tn.observe(ctx, o, "/Groups?count=1000") {
				t.Errorf("%d bytes were answered as if they were all", o.Body.Len())
			}
			if o.Code != 200 || json.Valid(o.Body.Bytes()) {
				t.Errorf("%d with %d bytes", o.Code, o.Body.Len())
			}
		})
	}
	t.Run("before it", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		o := &observer{}
		tn.observe(ctx, o, "/Groups?count=1") // the token is known from now on
		cancel()
		o = &observer{}
		if tn.observe(ctx, o, "/Groups?count=1000") || o.Code != 503 || !strings.Contains(o.Body.String(), "Error") {
			t.Errorf("%d %.200s", o.Code, o.Body)
		}
	})
}

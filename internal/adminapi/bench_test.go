package adminapi_test

import (
	"context"
	"log/slog"
	"runtime"
	"testing"

	"github.com/gorilla/mux"

	"github.com/rolesync/rolesync/internal/admin"
	"github.com/rolesync/rolesync/internal/adminapi"
	"github.com/rolesync/rolesync/internal/directory"
)

// BenchmarkMount is what the API adds to the start of the process, and what of it stays
// in memory.
func BenchmarkMount(b *testing.B) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var routers []*mux.Router
	for b.Loop() {
		r := mux.NewRouter().SkipClean(true).UseEncodedPath()
		(&adminapi.Handler{
			Admin: &admin.Service{}, Log: slog.New(slog.DiscardHandler),
			RequestID: func(context.Context) string { return "" },
			SCIMURL:   func(directory.ConnectionID) string { return "" },
		}).Mount(r)
		routers = append(routers, r)
	}
	b.StopTimer()
	runtime.GC()
	runtime.ReadMemStats(&after)
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(len(routers))/1024, "KiB-kept/op")
	runtime.KeepAlive(routers)
}

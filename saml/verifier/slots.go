package verifier

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync/atomic"
)

// slots bounds how many verifications run at once. They only compute, so that more than
// there are processors would take memory and bring nothing.
var slots = make(chan struct{}, max(2, runtime.GOMAXPROCS(0)))

// panics counts verifications that panicked.
var panics atomic.Uint64

// Panics returns how many verifications panicked since the process began. Each was refused
// as Internal. A number above zero is a fault of ours or of a library, which somebody found.
func Panics() uint64 { return panics.Load() }

// guarded runs a verification in a slot, and makes a refusal of a panic.
func (r *run) guarded(ctx context.Context, verify func() *Refusal) (refusal *Refusal) {
	if ctx.Err() != nil {
		return refuse(Busy, "the request ended before the message was looked at: %v", context.Cause(ctx))
	}
	select {
	case slots <- struct{}{}:
	case <-ctx.Done():
		return refuse(Busy, "every slot for verification was taken until the request ended: %v", context.Cause(ctx))
	}
	defer func() {
		<-slots
		if cause := recover(); cause != nil {
			panics.Add(1)
			refusal = refuse(Internal, "verification panicked: %s\n%s", quote(fmt.Sprint(cause)), debug.Stack())
		}
		if refusal != nil {
			refusal.Authentic = r.by != nil
		}
	}()
	return verify()
}

package app

import (
	"strings"
	"testing"

	"github.com/rolesync/rolesync/config"
)

// What is configured for SCIM is what its clients meet.
func TestLimitsOfSCIMAreInForce(t *testing.T) {
	if got, want := config.Default().SCIM, (config.SCIM{MaxBody: 10 << 20, RateLimit: 50, RateBurst: 200}); got != want {
		t.Errorf("limits by default: %+v, want %+v", got, want)
	}
	c := settings(t)
	c.SCIM = config.SCIM{MaxBody: 4 << 10, RateLimit: 1, RateBurst: 5}
	r := start(t, c)
	_, path, token := r.connection(t, "Globex")
	if status, body := r.ask(t, "GET", path+"/ServiceProviderConfig", token, ""); status != 200 || !strings.Contains(body, `"maxPayloadSize":4096`) {
		t.Errorf("ServiceProviderConfig: %d %s", status, body)
	}
	if status, body := r.ask(t, "POST", path+"/Users", token, user("bill@globex.example")+strings.Repeat(" ", 4<<10)); status != 413 || !strings.Contains(body, "4096 bytes") {
		t.Errorf("a body that is too large: %d %s", status, body)
	}
	for range 100 { // the five at once, and one for each second that this takes
		if status, body := r.ask(t, "GET", path+"/Users", token, ""); status == 429 {
			if !strings.Contains(body, "1 requests a second, 5 at once") {
				t.Errorf("429 says %s", body)
			}
			return
		}
	}
	t.Error("a hundred requests are not too many")
}

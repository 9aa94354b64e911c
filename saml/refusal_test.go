package saml

import (
	"fmt"
	"strings"
	"testing"

	"github.com/rolesync/rolesync/saml/verifier"
)

// A panic of the verification was shown to the admin of the connection, with its stack.
func TestInternalTextOfTheVerifierIsNotShown(t *testing.T) {
	secret := "verification panicked: \"boom\"\ngoroutine 7 [running]:"
	err := fmt.Errorf("verify: %w", &verifier.Refusal{Code: verifier.Internal, Detail: secret, Authentic: true})
	r, failed := refused(err)
	if !failed || r.code != "internal" || r.status != 500 || !r.authentic {
		t.Errorf("refused = %+v, %v, want a failure of ours", r, failed)
	}
	if r.detail == "" || strings.Contains(r.detail, "panicked") || strings.Contains(r.detail, "goroutine") {
		t.Errorf("the admin is shown %q", r.detail)
	}
	if !strings.Contains(err.Error(), "goroutine") {
		t.Errorf("the log would be without the cause: %v", err)
	}
}

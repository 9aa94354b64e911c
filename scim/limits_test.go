package scim

import (
	"fmt"
	"strings"
	"testing"

	"github.com/rolesync/rolesync/internal/fault"
)

// Each of these once kept a processor, and on SQLite every tenant, waiting for minutes.
func TestManyElementsAreRefusedBeforeTheyAreCompared(t *testing.T) {
	list := func(n int) string {
		elements := make([]string, n)
		for i := range elements {
			elements[i] = fmt.Sprintf(`{"value":"u%d@example.com"}`, i)
		}
		return "[" + strings.Join(elements, ",") + "]"
	}
	adds := make([]string, 4000)
	for i := range adds {
		adds[i] = fmt.Sprintf(`{"op":"add","path":"emails","value":[{"value":"a%[1]d@example.com"},{"value":"b%[1]d@example.com"}]}`, i)
	}
	before := `{"userName":"anna@example.com","active":true}`
	for _, c := range []struct{ name, method, body string }{
		{"a new user", "POST", `{"userName":"anna@example.com","emails":` + list(200_000) + `}`},
		{"a replaced user", "PUT", `{"userName":"anna@example.com","emails":` + list(201) + `}`},
		{"one operation", "PATCH", `{"Operations":[{"op":"replace","path":"emails","value":` + list(100_000) + `}]}`},
		{"many operations", "PATCH", `{"Operations":[` + strings.Join(adds, ",") + `]}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, _, err := try(userType, c.method, before, c.body); !fault.Is(err, fault.TooLarge) {
				t.Errorf("error = %v, want that there are too many", err)
			}
		})
	}
	if _, _, err := try(userType, "POST", "", `{"userName":"anna@example.com","emails":`+list(maxElements)+`}`); err != nil {
		t.Errorf("%d elements: %v", maxElements, err)
	}
}

// A page of a thousand such users would not fit into memory.
func TestResourceTooLargeToBeListed(t *testing.T) {
	body := `{"userName":"anna@example.com","title":"` + strings.Repeat("x", maxResource) + `"}`
	for _, method := range []string{"POST", "PUT"} {
		if _, _, err := try(userType, method, `{"userName":"anna@example.com"}`, body); !fault.Is(err, fault.TooLarge) {
			t.Errorf("%s: error = %v, want that it is too large", method, err)
		}
	}
}

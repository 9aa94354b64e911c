package directory_test

import (
	"testing"

	"github.com/rolesync/rolesync/internal/directory"
)

func TestDisguised(t *testing.T) {
	for name, want := range map[string]bool{
		"": false, "anna": false, "ANNA": false, "M\u00fcller": false, "Mu\u0308ller": false, "\u0391\u03bd\u03bd\u03b1": false,
		"\u017fam": true, "an\u212a": true, "o\ufb03ce": true, "Strau\u00df": true, "\u0130smail": true,
		"e\u0301\u017f": true, // what becomes less ASCII does not make up for what becomes more
	} {
		if got := directory.Disguised(name); got != want {
			t.Errorf("Disguised(%+q) = %v, want %v", name, got, want)
		}
	}
}

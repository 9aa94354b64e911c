package scim_test

import "testing"

// Each provider looks a user or a group up before it creates them, and spells the
// query in its own way.
func TestLookUpsAsProvidersSpellThem(t *testing.T) {
	tn := newService(t, "").newTenant()
	user := tn.must(201, "POST", "/Users", `{"userName":"peter.meier@example.com","emails":[{"value":"pm@example.com","type":"work"}]}`).string("id")
	group := tn.newGroup("Group A")
	for _, tt := range []struct{ name, path, id string }{
		{"okta", `/Users?filter=userName%20eq%20%22peter.meier%40example.com%22&startIndex=1&count=100`, user},
		{"entra", `/Users?filter=userName+eq+%22peter.meier%40example.com%22`, user},
		{"entra looks for a group without its members", `/Groups?excludedAttributes=members&filter=displayName+eq+%22Group+A%22`, group},
		{"entra with its flag left in the query", `/Users?aadOptscim062020&filter=userName+eq+%22peter.meier%40example.com%22`, user},
		{"onelogin ends the query with an ampersand", `/Users?filter=userName+eq+%22peter.meier%40example.com%22&`, user},
		{"onelogin pages through the groups", `/Groups?count=100&startIndex=1`, group},
		{"ping writes the operator with a capital", `/Users?filter=userName%20Eq%20%22peter.meier%40example.com%22`, user},
		{"ping by workEmail", `/Users?filter=emails%20eq%20%22pm%40example.com%22`, user},
		{"entra matching by e-mail address", `/Users?filter=emails%5Btype+eq+%22work%22%5D.value+eq+%22pm%40example.com%22`, user},
		{"authentik", `/Groups?filter=displayName+eq+%22Group+A%22`, group},
		{"authentik discovers without a query", `/Groups`, group},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if r := tn.must(200, "GET", tt.path, ""); r.len("Resources") != 1 || r.string("Resources", 0, "id") != tt.id {
				t.Errorf("GET %s = %s, want %s", tt.path, r.text, tt.id)
			}
		})
	}
	// OneLogin ends the path of a change with a question mark.
	tn.must(200, "PUT", "/Users/"+user+"?", `{"userName":"peter.meier@example.com"}`)
}

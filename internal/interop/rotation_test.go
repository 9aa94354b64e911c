package interop

import "testing"

// ourKeysChange exchanges both of our keys as an operator does, and signs in after each
// step: no login may fail on the way.
func ourKeysChange(t *testing.T, w *world, p *provider) {
	c, person := w.connect(t, p, "encrypted rotation", nil), people()[0]
	old := c.keys(t)
	added := map[string]string{}
	for use := range old {
		var key struct{ ID string }
		w.admin(t, "POST", c.path()+"/saml/keys", map[string]any{"use": use}, &key)
		added[use] = key.ID
	}
	step := func(name string) {
		t.Helper()
		t.Logf("signing in after: %s", name)
		c.signIn(t, person)
	}
	step("new keys are announced, and the provider has not looked")
	c.tellMetadata(t)
	step("the provider knows both")
	w.admin(t, "POST", c.path()+"/saml/keys/"+added["signing"]+"/activate", nil, nil)
	step("the new one signs")
	w.admin(t, "DELETE", c.path()+"/saml/keys/"+old["signing"], nil, nil)
	// Since it has looked, the provider encrypts for the new key as well, though the old one
	// was still announced.
	w.admin(t, "DELETE", c.path()+"/saml/keys/"+old["encryption"], nil, nil)
	step("the old keys are gone, and the provider has not looked again")
	if now := c.keys(t); now["signing"] != added["signing"] || now["encryption"] != added["encryption"] {
		t.Errorf("the keys are %v, want %v", now, added)
	}
}

// keys are the ids of our keys by their use, one of each.
func (c *connection) keys(t *testing.T) map[string]string {
	t.Helper()
	var shown struct {
		SAML struct {
			Keys []struct{ ID, Use string }
		}
	}
	c.admin(t, "GET", c.path(), nil, &shown)
	keys := map[string]string{}
	for _, key := range shown.SAML.Keys {
		if keys[key.Use] != "" {
			t.Fatalf("there are several keys for %s: %v", key.Use, shown.SAML.Keys)
		}
		keys[key.Use] = key.ID
	}
	return keys
}

// providerKeyChanges gives the provider another key, which nobody has told us of; then
// somebody does.
func providerKeyChanges(t *testing.T, w *world, shared *provider) {
	p := shared.product.start(t) // another, for the connections of this one would not know the key
	c, person := w.connect(t, p, "signed", nil), people()[0]
	before := c.signIn(t, person)
	newKey(t, p.dir)
	c.refused(t, newBrowser(t, person).open(c.ask().address), "signature")
	w.admin(t, "PATCH", c.path()+"/saml", map[string]any{"metadata_xml": string(p.metadataXML(t))}, nil)
	if after := c.signIn(t, person); after.Profile.Subject != before.Profile.Subject {
		t.Errorf("with the new key the person is %s, before %s", after.Profile.Subject, before.Profile.Subject)
	}
}

package adminapi_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSchemas(t *testing.T) {
	s := start(t)
	acme, other := s.organization("Acme"), s.organization("Other")
	okta := s.connection(acme, "Okta")
	const urn = "urn:acme:params:scim:2.0:Employee"
	path := "/organizations/" + acme + "/schemas"
	body := object{
		"schemas": []string{"urn:ietf:params:scim:schemas:core:2.0:Schema"}, "id": urn, "resource_type": "User", "name": "Employee",
		"attributes": []object{
			{"name": "costCode", "type": "string", "caseExact": true, "canonicalValues": []string{"a"}, "required": true},
			{"name": "desk", "type": "complex", "multiValued": true, "subAttributes": []object{{"name": "value", "type": "integer", "returned": "request"}}},
		},
	}
	put := s.do("PUT", path+"/"+urn, body).want(http.StatusOK)
	type schema struct {
		ID         string   `json:"id"`
		Attributes []object `json:"attributes"`
	}
	want := schema{urn, []object{
		{"name": "costCode", "type": "string", "caseExact": true, "canonicalValues": []any{"a"}, "required": true,
			"mutability": "readWrite", "returned": "default", "uniqueness": "none"},
		{"name": "desk", "type": "complex", "multiValued": true, "mutability": "readWrite", "returned": "default", "uniqueness": "none",
			"subAttributes": []any{map[string]any{"name": "value", "type": "integer", "mutability": "readWrite", "returned": "request", "uniqueness": "none"}}},
	}}
	for what, a := range map[string]answer{"put": put, "get": s.do("GET", path+"/"+urn, nil), "get in other case": s.do("GET", path+"/"+strings.ToUpper(urn), nil)} {
		if diff := cmp.Diff(want, into[schema](a.want(http.StatusOK))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
	if list := into[listed[schema]](s.do("GET", path, nil).want(http.StatusOK)); len(list.Items) != 1 || list.Items[0].ID != urn {
		t.Errorf("list = %+v", list)
	}
	if !s.forgot(okta.ID) {
		t.Error("the connection was not forgotten")
	}
	if list := into[listed[schema]](s.do("GET", "/organizations/"+other+"/schemas", nil).want(http.StatusOK)); len(list.Items) != 0 {
		t.Errorf("another organization has %+v", list)
	}
	s.do("GET", "/organizations/"+other+"/schemas/"+urn, nil).problem(http.StatusNotFound).said(t, urn)

	with := func(changes object) object {
		changed := object{}
		for _, from := range []object{body, changes} {
			for name, value := range from {
				changed[name] = value
			}
		}
		return changed
	}
	s.do("PUT", path+"/"+urn, with(object{"id": "urn:acme:x"})).problem(http.StatusBadRequest).said(t, "urn:acme:x", urn)
	s.do("PUT", path+"/"+urn, with(object{"schemas": []string{"urn:x"}})).problem(http.StatusBadRequest).said(t, "urn:x")
	s.do("PUT", path+"/"+urn, with(object{"colour": "red"})).problem(http.StatusBadRequest).said(t, "colour")
	s.do("PUT", path+"/"+urn+":sub", with(object{"id": ""})).problem(http.StatusConflict).said(t, urn)
	p := s.do("PUT", path+"/"+urn, with(object{"resource_type": "Device", "attributes": []object{{"name": "a b"}, {"name": "c", "uniqueness": "server"}}})).problem(http.StatusBadRequest)
	p.said(t, "resource_type", `"Device"`)
	var paths []string
	for _, e := range p.Errors {
		paths = append(paths, e.Path)
	}
	if want := []string{"resource_type", "attributes[0].name", "attributes[1].uniqueness"}; !cmp.Equal(want, paths) {
		t.Errorf("problems at %v, want %v", paths, want)
	}

	s.do("DELETE", path+"/"+urn, nil).want(http.StatusNoContent)
	s.do("DELETE", path+"/"+urn, nil).problem(http.StatusNotFound).said(t, urn)
}

package scim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	elimity "github.com/elimity-com/scim/errors"
	"github.com/elimity-com/scim/schema"

	"github.com/rolesync/rolesync/internal/fault"
)

// The discovery documents, RFC 7643 §5 to §7 and RFC 7644 §4. They are the same for
// all connections of the same types but for their location, so they are made once.

// document is a discovery resource.
type document struct {
	id           string
	resourceType string
	path         string // of its location, behind the connection's URL
	body         []byte // without its meta and its closing brace
}

func (d document) append(b []byte, base string) []byte {
	b = append(b, d.body...)
	b = append(append(b, `,"meta":{"resourceType":"`...), d.resourceType...)
	return append(append(append(append(b, `","location":"`...), base...), d.path...), `"}}`...)
}

// newDocument makes a document of a value that marshals to an object.
func newDocument(id, resourceType, path string, v any) document {
	body, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("scim: discovery document %s: %v", id, err)) // a table of ours is wrong
	}
	return document{id: id, resourceType: resourceType, path: path, body: body[:len(body)-1]}
}

// supported is a feature in ServiceProviderConfig.
type supported struct {
	Supported bool `json:"supported"`
}

// pagination says how lists are paged, RFC 9865 §4. A cursor does not expire, so there
// is no cursorTimeout.
type pagination struct {
	Cursor          bool   `json:"cursor"`
	Index           bool   `json:"index"`
	DefaultMethod   string `json:"defaultPaginationMethod"`
	DefaultPageSize int    `json:"defaultPageSize"`
	MaxPageSize     int    `json:"maxPageSize"`
}

// providerConfig is what this service can do for a connection, and nothing that it cannot.
type providerConfig struct {
	Schemas        []string         `json:"schemas"`
	Patch          supported        `json:"patch"`
	Bulk           bulkConfig       `json:"bulk"`
	Filter         filterConfig     `json:"filter"`
	ChangePassword supported        `json:"changePassword"`
	Sort           supported        `json:"sort"`
	ETag           supported        `json:"etag"`
	Pagination     pagination       `json:"pagination"`
	Schemes        []map[string]any `json:"authenticationSchemes"`

	// InteropProfileConformant is of draft-zollner-scim-interop-profile-02 §4; no other
	// connection has it.
	InteropProfileConformant bool `json:"interopProfileConformant,omitempty"`
}

type bulkConfig struct {
	supported
	MaxOperations  int   `json:"maxOperations"`
	MaxPayloadSize int64 `json:"maxPayloadSize"`
}

type filterConfig struct {
	supported
	MaxResults int `json:"maxResults"`
}

func (h *Handler) getProvider(c *call) (answer, error) {
	config := newDocument("", "ServiceProviderConfig", "/ServiceProviderConfig", providerConfig{
		InteropProfileConformant: c.connection.Strict,

		Schemas:    []string{providerURN},
		Patch:      supported{true},
		Bulk:       bulkConfig{supported{true}, maxOperations, h.maxBody()},
		Filter:     filterConfig{supported{true}, maxCount},
		Sort:       supported{true},
		ETag:       supported{true},
		Pagination: pagination{Cursor: true, Index: true, DefaultMethod: "index", DefaultPageSize: defaultCount, MaxPageSize: maxCount},
		Schemes: []map[string]any{{
			"type":        "oauthbearertoken",
			"name":        "OAuth Bearer Token",
			"description": "The token of the connection, in the Authorization header.",
			"specUri":     "https://www.rfc-editor.org/info/rfc6750",
			"primary":     true,
		}, {
			"type":        "oauth2",
			"name":        "OAuth 2.0 Client Credentials",
			"description": "A token from oauth/token of the connection, for a client id and secret, in the Authorization header.",
			"specUri":     "https://www.rfc-editor.org/info/rfc6749",
			"primary":     false,
		}},
	})
	return c.discover([]document{config}, "")
}

func describeType(rt *resourceType) document {
	type extension struct {
		Schema   string `json:"schema"`
		Required bool   `json:"required"`
	}
	extensions := []extension{}
	for _, e := range rt.extensions {
		extensions = append(extensions, extension{Schema: e.ID})
	}
	return newDocument(rt.name, "ResourceType", "/ResourceTypes/"+rt.name, struct {
		Schemas          []string    `json:"schemas"`
		ID               string      `json:"id"`
		Name             string      `json:"name"`
		Endpoint         string      `json:"endpoint"`
		Description      string      `json:"description"`
		Schema           string      `json:"schema"`
		SchemaExtensions []extension `json:"schemaExtensions"`
	}{[]string{resourceTypeURN}, rt.name, rt.name, rt.endpoint, rt.description, rt.coreURN(), extensions})
}

func describeSchemas(types ...*resourceType) []document {
	var list []document
	for _, rt := range types {
		for _, s := range append([]schema.Schema{rt.schema}, rt.extensions...) {
			m := s.ToMap()
			prune(m)
			list = append(list, newDocument(s.ID, "Schema", "/Schemas/"+s.ID, m))
		}
	}
	return list
}

// prune drops what the library leaves empty.
func prune(m map[string]any) {
	for name, v := range m {
		switch v := v.(type) {
		case string:
			if v == "" {
				delete(m, name)
			}
		case []map[string]any:
			for _, inner := range v {
				prune(inner)
			}
		}
	}
}

func (h *Handler) getResourceType(c *call) (answer, error) {
	return c.discover(c.types.resourceTypes, c.id())
}
func (h *Handler) listResourceTypes(c *call) (answer, error) {
	return c.discoverAll(c.types.resourceTypes)
}
func (h *Handler) getSchema(c *call) (answer, error)   { return c.discover(c.types.schemas, c.id()) }
func (h *Handler) listSchemas(c *call) (answer, error) { return c.discoverAll(c.types.schemas) }

// unfiltered refuses a filter on discovery (RFC 7644 §4: 403).
func (c *call) unfiltered() error {
	if c.query.filtered {
		return elimity.ScimError{Status: http.StatusForbidden, Detail: "discovery endpoints take no filter"}
	}
	return nil
}

func (c *call) discover(list []document, id string) (answer, error) {
	if err := c.unfiltered(); err != nil {
		return answer{}, err
	}
	for _, d := range list {
		if strings.EqualFold(d.id, id) {
			return answer{status: http.StatusOK, body: d.append(c.buffer, c.base)}, nil
		}
	}
	return answer{}, fault.New(fault.NotFound, "there is no %s %s", list[0].resourceType, quote(id))
}

func (c *call) discoverAll(list []document) (answer, error) {
	if err := c.unfiltered(); err != nil {
		return answer{}, err
	}
	b, err := view{}.appendList(c.buffer, listHead{total: len(list), startIndex: 1, count: len(list)}, func(b []byte, i int) ([]byte, error) {
		return list[i].append(b, c.base), nil
	})
	return answer{status: http.StatusOK, body: b}, err
}

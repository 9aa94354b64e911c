package simulate

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// call is one request of a provider.
type call struct {
	label  string // what it is for; one line of the report
	method string
	path   string // below the SCIM base address, with the query as it is on the wire
	body   any    // nil for none
	lists  bool   // the answer must be a ListResponse
	learns bool   // the answer is a discovery document, which has no id
	about  string // whom it is about, for a failure
	// touches lists the users whose assignment it may change. For a creation it is empty:
	// the id in the answer is added.
	touches []string
}

// client sends requests with a provider's headers and notes how they went.
type client struct {
	http    *http.Client
	base    string
	token   string
	headers func(h http.Header)
	tail    string // what the provider puts after a path that has no query
	log     *record
}

// How often a request is sent when the server says to come later, and the longest that
// the session waits for it.
const (
	tries       = 5
	longestWait = 5 * time.Second
	answerLimit = 64 << 20 // bytes
)

// do sends the call and returns the decoded answer, nil when it has no body. Whatever
// the provider would show as an error is noted as a failure and returned as errRefused.
// A 429 or 503 is repeated after the time that it names.
func (c *client) do(ctx context.Context, req call) (map[string]any, error) {
	var payload []byte
	if req.body != nil {
		var err error
		if payload, err = encode(req.body); err != nil {
			return nil, err
		}
	}
	for try := 1; ; try++ {
		start := time.Now()
		status, header, data, err := c.send(ctx, req, payload)
		end := time.Now()
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if (status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable) && try < tries {
			c.log.repeat()
			if err := pause(ctx, retryAfter(header)); err != nil {
				return nil, err
			}
			continue
		}
		answer, err := c.judge(req, status, data, err)
		if err != nil {
			return nil, c.log.fail(req, status, err)
		}
		touches := req.touches
		if id, _ := answer["id"].(string); req.label == createUser {
			touches = []string{id}
		}
		c.log.add(exchange{label: req.label, start: start, end: end, touches: touches, id: header.Get("X-Request-Id")})
		return answer, nil
	}
}

func (c *client) send(ctx context.Context, req call, payload []byte) (int, http.Header, []byte, error) {
	var body io.Reader // a typed nil would be a body
	if payload != nil {
		body = bytes.NewReader(payload)
	}
	target := c.base + req.path
	if !strings.Contains(req.path, "?") {
		target += c.tail
	}
	request, err := http.NewRequestWithContext(ctx, req.method, target, body)
	if err != nil {
		return 0, nil, nil, err
	}
	request.Header.Set("Authorization", "Bearer "+c.token)
	request.Header.Set("Accept", "application/scim+json")
	if payload != nil {
		request.Header.Set("Content-Type", "application/scim+json; charset=utf-8")
	}
	c.headers(request.Header)
	response, err := c.http.Do(request)
	if failed, ok := errors.AsType[*url.Error](err); ok {
		err = failed.Err // without the address, which the report shows already
	}
	if err != nil {
		return 0, nil, nil, err
	}
	defer response.Body.Close()
	data, err := io.ReadAll(io.LimitReader(response.Body, answerLimit))
	return response.StatusCode, response.Header, data, err
}

// judge decides whether a provider would be content with an answer. All need a
// ListResponse to a query, the resource with its id to a creation, and the resource or
// nothing to a change.
func (c *client) judge(req call, status int, data []byte, err error) (map[string]any, error) {
	if err != nil {
		return nil, err
	}
	if status < 200 || status > 299 {
		return nil, errors.New(detail(data))
	}
	if len(bytes.TrimSpace(data)) == 0 {
		if req.method == http.MethodGet || req.method == http.MethodPost {
			return nil, errors.New("the answer is empty")
		}
		return nil, nil
	}
	var answer map[string]any
	if err := json.Unmarshal(data, &answer); err != nil {
		return nil, fmt.Errorf("the answer is not a JSON object: %w", err)
	}
	_, listed := answer["totalResults"].(float64)
	id, _ := answer["id"].(string)
	switch {
	case req.lists && !listed:
		return nil, errors.New("the answer is not a ListResponse: it has no totalResults")
	case !req.lists && !req.learns && id == "":
		return nil, errors.New("the answer has no id")
	}
	return answer, nil
}

// first returns the first resource of a ListResponse, nil when there is none.
func first(answer map[string]any) map[string]any {
	resources, _ := answer["Resources"].([]any)
	if len(resources) == 0 {
		return nil
	}
	resource, _ := resources[0].(map[string]any)
	return resource
}

// encode writes JSON without HTML escapes, which no provider uses.
func encode(body any) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(body)
	return bytes.TrimSpace(b.Bytes()), err
}

// detail takes what is worth showing from the body of a refusal.
func detail(data []byte) string {
	var refusal struct{ Detail, ScimType string }
	if json.Unmarshal(data, &refusal) == nil && refusal.Detail != "" {
		if refusal.ScimType != "" {
			return refusal.ScimType + ": " + refusal.Detail
		}
		return refusal.Detail
	}
	text := strings.Join(strings.Fields(string(data)), " ")
	if len(text) > 200 {
		text = strings.ToValidUTF8(text[:200], "") + "…"
	}
	if text == "" {
		return "no reason given"
	}
	return text
}

func retryAfter(h http.Header) time.Duration {
	seconds, err := strconv.Atoi(h.Get("Retry-After"))
	if err != nil || seconds < 0 {
		return time.Second
	}
	return min(time.Duration(seconds)*time.Second, longestWait)
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

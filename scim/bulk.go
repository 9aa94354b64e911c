package scim

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"github.com/rolesync/rolesync/internal/fault"
)

const (
	bulkRequestURN  = "urn:ietf:params:scim:api:messages:2.0:BulkRequest"
	bulkResponseURN = "urn:ietf:params:scim:api:messages:2.0:BulkResponse"

	// bulkTime bounds a bulk request; what is left then is answered with 503. Sending
	// the answer has to fit into the server's own time, too.
	bulkTime = time.Minute
)

// bulkJob is one operation of a bulk request, RFC 7644 §3.7.
type bulkJob struct {
	method, path, bulkID, version string
	endpoint, id                  string // of the path
	data                          value

	needs  []string // the bulkIds that it refers to, each once
	open   int      // for how many of them nothing is there yet
	target *bulkJob // which creates what it changes; nil: that is there already

	ended   bool // what came of it is known
	late    bool // it was not tried, since the time was over
	partial bool // it was carried out without references that form a circle
	result  answer
	err     error
}

// ready reports whether a job can be carried out whole.
func (j *bulkJob) ready() bool { return j.open == 0 && (j.target == nil || !j.target.partial) }

// loses has the job fail, since there is nothing that a bulkId could stand for.
func (j *bulkJob) loses(bulkID string) {
	if j.err == nil {
		j.err = invalidValue("it refers to the bulkId %s, for which nothing was created", quote(bulkID))
	}
}

// bulkRun carries out a bulk request: each operation is a transaction of its own, as if
// it had come alone. They run in their order, but for those that refer to a resource
// that a later one creates. When several refer to each other, the first is created
// without the references, which are put in as soon as all of them are there; what is to
// be changed of it comes after that.
type bulkRun struct {
	call     *call
	jobs     []*bulkJob
	byBulkID map[string]*bulkJob
	waiting  map[string][]*bulkJob // for a bulkId
	failures int
	most     int // failures that end it; 0: any number
}

func (h *Handler) bulk(c *call) (answer, error) {
	body, err := c.json()
	if err != nil {
		return answer{}, err
	}
	run, err := c.newBulk(body)
	if err != nil {
		return answer{}, err
	}
	if err := run.run(h.now().Add(bulkTime)); err != nil {
		return answer{}, err
	}
	return answer{status: http.StatusOK, body: run.append(c.buffer)}, nil
}

func (c *call) newBulk(body value) (*bulkRun, error) {
	if err := c.strictMessage(body, bulkRequestURN); err != nil {
		return nil, err
	}
	operations := body.get("Operations")
	if operations.kind != array {
		return nil, invalidSyntax("Operations must be an array, not %s", operations.kind)
	}
	if n := len(operations.items); n > maxOperations {
		return nil, fault.New(fault.TooLarge, "the request has %d operations; at most %d are taken at once", n, maxOperations)
	}
	r := &bulkRun{call: c, byBulkID: map[string]*bulkJob{}, waiting: map[string][]*bulkJob{}}
	if v := body.get("failOnErrors"); v.kind != absent && v.kind != null {
		n, err := strconv.Atoi(v.text)
		if err != nil || n < 1 {
			return nil, invalidValue("failOnErrors must be a whole number above 0, not %s", describe(v))
		}
		r.most = n
	}
	for i := range operations.items {
		job := c.newBulkJob(operations.items[i].value)
		r.jobs = append(r.jobs, job)
		if job.bulkID == "" {
			continue
		}
		if r.byBulkID[job.bulkID] != nil {
			return nil, invalidValue("two operations have the bulkId %s", quote(job.bulkID))
		}
		r.byBulkID[job.bulkID] = job
	}
	for _, job := range r.jobs {
		if job.err == nil {
			r.link(job)
		}
	}
	return r, nil
}

// link notes what a job has to wait for.
func (r *bulkRun) link(job *bulkJob) {
	job.needs = references(job.data, nil)
	if bulkID, ok := strings.CutPrefix(job.id, bulkReference); ok {
		job.target = r.byBulkID[bulkID]
		job.needs = append(job.needs, bulkID)
	}
	slices.Sort(job.needs)
	job.needs = slices.Compact(job.needs)
	for _, bulkID := range job.needs {
		if creation := r.byBulkID[bulkID]; creation == nil || creation.method != http.MethodPost {
			job.loses(bulkID)
		}
		r.waiting[bulkID] = append(r.waiting[bulkID], job)
		job.open++
	}
}

// newBulkJob reads an operation. What is wrong with it is its own error, and does not
// keep the others from being carried out.
func (c *call) newBulkJob(operation value) *bulkJob {
	j := &bulkJob{data: operation.get("data")}
	for _, member := range [...]struct {
		name string
		into *string
	}{{"bulkId", &j.bulkID}, {"method", &j.method}, {"path", &j.path}, {"version", &j.version}} {
		v := operation.get(member.name)
		if v.kind != absent && v.kind != null && v.kind != text {
			j.err = invalidSyntax("%s must be a string, not %s", member.name, v.kind)
			return j
		}
		*member.into = v.text
	}
	j.method = strings.ToUpper(j.method)
	path := strings.TrimPrefix(j.path, c.base)
	j.endpoint = path
	if at := strings.LastIndexByte(path, '/'); at > 0 {
		j.endpoint = path[:at]
		if id, err := url.PathUnescape(path[at+1:]); err == nil {
			j.id = id
		}
	}
	switch {
	case c.handler.bulkAction(j) == nil:
		j.err = invalidPath("a bulk operation can POST to /Users or /Groups, and PUT, PATCH or DELETE what is below, not %s %s", quote(j.method), quote(j.path))
	case j.method == http.MethodPost && j.bulkID == "":
		j.err = invalidValue("an operation that creates needs a bulkId")
	case j.method != http.MethodDelete && j.data.kind != object:
		j.err = invalidSyntax("data must be an object, not %s", j.data.kind)
	}
	return j
}

// bulkAction returns what carries an operation out; nil when there is nothing.
func (h *Handler) bulkAction(j *bulkJob) func(*call) (answer, error) {
	if (j.id == "") != (j.method == http.MethodPost) {
		return nil
	}
	switch j.endpoint {
	case "/Users":
		return methods{"POST": h.createUser, "PUT": h.putUser, "PATCH": h.patchUser, "DELETE": h.deleteUser}[j.method]
	case "/Groups":
		return methods{"POST": h.createGroup, "PUT": h.putGroup, "PATCH": h.patchGroup, "DELETE": h.deleteGroup}[j.method]
	}
	return nil
}

// run carries out what it can, until the deadline. Its error is that nobody waits for
// the answer any more.
func (r *bulkRun) run(deadline time.Time) error {
	for r.most == 0 || r.failures < r.most {
		job := r.next()
		if job == nil {
			break
		}
		if r.call.Context().Err() != nil {
			break
		}
		switch {
		case job.err != nil:
		case r.call.handler.now().After(deadline):
			job.late = true
			job.err = fault.New(fault.Unavailable, "the request took longer than %s; send this operation again", bulkTime)
		default:
			r.carryOut(job)
		}
		r.end(job)
	}
	for _, job := range r.jobs { // what waits still was not reached
		if job.partial {
			job.loses(job.needs[slices.IndexFunc(job.needs, r.missing)])
			r.complete(job)
		}
	}
	return r.call.Context().Err()
}

// next chooses the job to carry out: the first that needs nothing that is not there, or
// that cannot be carried out at all; else one of a circle.
func (r *bulkRun) next() *bulkJob {
	var circle *bulkJob
	for _, job := range r.jobs {
		switch {
		case job.ended:
		case job.err != nil || job.ready():
			return job
		case circle == nil && job.method == http.MethodPost:
			circle = job
		}
	}
	return circle
}

// missing reports whether nothing has been created for a bulkId.
func (r *bulkRun) missing(bulkID string) bool {
	job := r.byBulkID[bulkID]
	return job == nil || job.method != http.MethodPost || !job.ended || job.err != nil
}

// end tells the jobs that wait for one what came of it.
func (r *bulkRun) end(job *bulkJob) {
	if job.ended = true; job.err != nil {
		r.failures++
	}
	if job.method != http.MethodPost {
		return
	}
	for _, waiter := range r.waiting[job.bulkID] {
		if job.err != nil {
			waiter.loses(job.bulkID)
		}
		if waiter.open--; waiter.partial && (waiter.open == 0 || waiter.err != nil) {
			r.complete(waiter)
		}
	}
}

// carryOut serves an operation as if it had come alone. One that refers to what is not
// there yet is of a circle.
func (r *bulkRun) carryOut(j *bulkJob) {
	if bulkID, ok := strings.CutPrefix(j.id, bulkReference); ok {
		j.id = r.byBulkID[bulkID].id
	}
	data := r.resolve(j.data)
	if j.open > 0 {
		data = without(data)
	}
	if j.result, j.err = r.serve(j.method, j, data); j.err == nil && j.method == http.MethodPost {
		j.partial = j.open > 0
		j.id = j.result.location[strings.LastIndexByte(j.result.location, '/')+1:]
	}
}

// serve makes a call of its own, which is shown the id and the version of what it
// changes and no more.
func (r *bulkRun) serve(method string, j *bulkJob, data value) (answer, error) {
	request := *r.call.Request
	request.Method = method
	request.Header = http.Header{}
	if j.version != "" && method == j.method {
		request.Header.Set("If-Match", j.version)
	}
	inner := *r.call
	inner.Request = mux.SetURLVars(&request, map[string]string{"connection": string(r.call.connection.ID), "id": url.PathEscape(j.id)})
	inner.query = query{attributes: "id,meta.version"}
	inner.body, inner.buffer = &data, nil
	as := *j
	if as.method = method; method != http.MethodPost && as.id == "" {
		return answer{}, fault.New(fault.NotFound, "there is nothing at %s", quote(j.path))
	}
	defer func() { r.call.unmapped = inner.unmapped }()
	return r.call.handler.bulkAction(&as)(&inner)
}

// complete puts the references of a circle into a resource. One whose circle has broken
// is taken away again, so that each operation is carried out whole or not at all.
func (r *bulkRun) complete(job *bulkJob) {
	job.partial = false
	if job.err == nil {
		var replaced answer
		if replaced, job.err = r.serve(http.MethodPut, job, r.resolve(job.data)); job.err == nil {
			job.result.version = replaced.version
			return
		}
	}
	if _, err := r.serve(http.MethodDelete, job, value{}); err != nil {
		r.call.handler.Log.ErrorContext(r.call.Context(), "scim bulk left a resource without its references", "error", err,
			"connection", r.call.connection.ID, "request", r.call.handler.requestID(r.call.Context()))
	}
	r.failures++
	for _, waiter := range r.waiting[job.bulkID] {
		if !waiter.ended || waiter.partial {
			waiter.loses(job.bulkID)
		}
	}
}

// append renders the answer. What was not reached, since too much had failed, is not in
// it (RFC 7644 §3.7.3).
func (r *bulkRun) append(b []byte) []byte {
	b = append(b, `{"schemas":["`+bulkResponseURN+`"],"Operations":[`...)
	separator := ""
	for _, j := range r.jobs {
		if !j.ended {
			continue
		}
		b = append(append(b, separator...), `{"method":`...)
		separator = ","
		b = appendString(b, j.method)
		if j.bulkID != "" {
			b = appendString(append(b, `,"bulkId":`...), j.bulkID)
		}
		if location := r.location(j); location != "" {
			b = appendString(append(b, `,"location":`...), location)
		}
		if j.err != nil {
			e := problem(j.err)
			if !j.late { // which is one thing that went wrong, not thousands
				e = r.call.handler.told(r.call.Request, j.err)
			}
			r.record(j, &e)
			b = appendString(append(b, `,"status":`...), strconv.Itoa(e.Status))
			b = append(appendError(append(b, `,"response":`...), e), '}')
			continue
		}
		r.record(j, nil)
		if j.result.version != "" {
			b = appendString(append(b, `,"version":`...), j.result.version)
		}
		b = append(appendString(append(b, `,"status":`...), strconv.Itoa(j.result.status)), '}')
	}
	return append(b, "]}"...)
}

// location is where the resource of an operation is; "" when none was created.
func (r *bulkRun) location(j *bulkJob) string {
	if j.method == http.MethodPost && j.err != nil || j.id == "" || strings.HasPrefix(j.id, bulkReference) {
		return ""
	}
	return r.call.base + j.endpoint + "/" + url.PathEscape(j.id)
}

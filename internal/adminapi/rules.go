package adminapi

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rolesync/rolesync/internal/admin"
	"github.com/rolesync/rolesync/internal/fault"
	"github.com/rolesync/rolesync/mapping"
)

// RuleSet is the rules of an organization that are in force.
type RuleSet struct {
	Version   int64     `json:"version" doc:"Raised by one with each publication; 0 is the empty rule set of the beginning. Also the ETag."`
	Comment   string    `json:"comment,omitempty" doc:"What its author said of it."`
	Author    string    `json:"author,omitempty" doc:"Who published it."`
	CreatedAt time.Time `json:"created_at,omitzero" doc:"When it was published."`
	mapping.RuleSet
}

// RuleSetChange is a rule set to be published. What get answers can be edited and put
// back as it is.
type RuleSetChange struct {
	Version   *int64    `json:"version,omitempty" minimum:"0" doc:"The version it was made from. Needed here or as If-Match."`
	Comment   string    `json:"comment,omitempty" doc:"Why; at most 1000 characters."`
	Author    string    `json:"author,omitempty" readOnly:"true" doc:"Ignored."`
	CreatedAt time.Time `json:"created_at,omitzero" readOnly:"true" doc:"Ignored."`
	mapping.RuleSet
}

// Publication is what publishing a rule set led to.
type Publication struct {
	Version   int64 `json:"version" doc:"The version that is in force now."`
	Remaining int   `json:"remaining" doc:"How many users have yet to be evaluated with it; see progress."`
}

// Progress is how far an evaluation of everyone has come.
type Progress struct {
	Remaining int `json:"remaining" doc:"How many users have yet to be evaluated again; 0: none."`
}

func (h *Handler) rules(api huma.API) {
	const path = "/organizations/{organization}/rules"

	type getOutput struct {
		ETag string `header:"ETag" doc:"The version, in quotes; for If-Match."`
		Body RuleSet
	}
	register(h, api, operation{
		method: http.MethodGet, path: path, id: "get-rules", tag: "rules", problems: []int{http.StatusNotFound},
		summary: "Get the rules in force",
	}, func(ctx context.Context, by admin.Actor, in *InOrganization) (*getOutput, error) {
		v, err := h.Admin.Rules(ctx, by, in.Organization)
		return &getOutput{etag(v.Version), ruleSetOf(v)}, err
	})

	type putInput struct {
		InOrganization
		IfMatch string `header:"If-Match" doc:"The ETag of the version it was made from, or * to replace whatever is in force."`
		Body    RuleSetChange
	}
	type putOutput struct {
		ETag string `header:"ETag" doc:"The new version, in quotes."`
		Body Publication
	}
	register(h, api, operation{
		method: http.MethodPut, path: path, id: "put-rules", tag: "rules", maxBody: maxRules,
		problems: []int{http.StatusNotFound, http.StatusConflict, http.StatusPreconditionFailed},
		summary:  "Publish rules",
		description: "They become the next version, and everyone is evaluated again, in the background. " +
			"When somebody else has published since the version that they were made from, the answer is 409, or 412 if the version came as If-Match, and nothing changes. " +
			"Neither does it when a rule is wrong: then errors lists everything that is.",
	}, func(ctx context.Context, by admin.Actor, in *putInput) (*putOutput, error) {
		from, err := madeFrom(in.Body.Version, in.IfMatch)
		if err != nil {
			return nil, err
		}
		p, err := h.Admin.PublishRules(ctx, by, in.Organization, in.Body.RuleSet, from, in.Body.Comment)
		if in.IfMatch != "" && fault.Is(err, fault.Conflict) {
			_, message := fault.Public(err)
			err = fault.Wrap(fault.PreconditionFailed, err, "%s", message)
		}
		return &putOutput{etag(p.Version), Publication(p)}, err
	})

	register(h, api, operation{
		method: http.MethodGet, path: path + "/progress", id: "get-rules-progress", tag: "rules", problems: []int{http.StatusNotFound},
		summary: "Get the progress of evaluation", description: "After rules, roles or a large group have changed.",
	}, func(ctx context.Context, by admin.Actor, in *InOrganization) (*answer[Progress], error) {
		remaining, err := h.Admin.Progress(ctx, by, in.Organization)
		return reply(Progress{remaining}), err
	})

	register(h, api, operation{
		method: http.MethodGet, path: path + "/dangling", id: "list-dangling-rules", tag: "rules", problems: []int{http.StatusNotFound},
		summary:     "List the rules that match no group",
		description: "In the order of the rule set: because no group has that id or name, or because the one that has comes from another connection. Paused rules are looked at, too.",
	}, func(ctx context.Context, by admin.Actor, in *InOrganization) (*answer[list[mapping.RuleOutcome]], error) {
		rules, err := h.Admin.DanglingRules(ctx, by, in.Organization)
		return listOf(admin.List[mapping.RuleOutcome]{Items: rules}, asItIs), err
	})
}

func ruleSetOf(v admin.RuleSetVersion) RuleSet {
	if v.RuleSet.Rules == nil {
		v.RuleSet.Rules = []mapping.Rule{}
	}
	return RuleSet{v.Version, v.Comment, v.Author, v.CreatedAt, v.RuleSet}
}

func etag(version int64) string { return `"` + strconv.FormatInt(version, 10) + `"` }

// madeFrom returns the version that a change was made from, which the body or If-Match
// tells (RFC 9110 §13.1.1).
func madeFrom(version *int64, ifMatch string) (int64, error) {
	switch {
	case ifMatch == "" && version == nil:
		return 0, fault.New(fault.Invalid, "version is missing: say which version the rules were made from, in the body or as If-Match")
	case ifMatch == "":
		return *version, nil
	case ifMatch == "*":
		return admin.AnyVersion, nil
	}
	digits, quoted := strings.CutPrefix(ifMatch, `"`)
	digits, closed := strings.CutSuffix(digits, `"`)
	matched, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || !quoted || !closed || etag(matched) != ifMatch || matched < 0 {
		return 0, fault.New(fault.Invalid, `If-Match %s is not the ETag of a rule set, which is a version in quotes ("7"), nor *`, quote(ifMatch))
	}
	if version != nil && *version != matched {
		return 0, fault.New(fault.Invalid, "version %d and If-Match %s differ; say one of them", *version, ifMatch)
	}
	return matched, nil
}

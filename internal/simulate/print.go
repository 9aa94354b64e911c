package simulate

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"golang.org/x/term"
)

// printer writes whole lines, with a status line below them on a terminal. Safe for
// concurrent use. Errors of the writer are ignored: a closed pipe must not end a
// session half way.
type printer struct {
	mu       sync.Mutex
	w        io.Writer
	terminal bool
	colour   bool
	status   bool // a status line stands there
}

func newPrinter(w io.Writer) *printer {
	file, ok := w.(*os.File)
	terminal := ok && term.IsTerminal(int(file.Fd()))
	return &printer{w: w, terminal: terminal, colour: terminal && os.Getenv("NO_COLOR") == ""} // no-color.org
}

// line writes lines above the status line.
func (p *printer) line(lines ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
	for _, l := range lines {
		_, _ = fmt.Fprintln(p.w, strings.TrimRight(l, " "))
	}
}

// setStatus replaces the status line, if there can be one.
func (p *printer) setStatus(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.terminal {
		p.clear()
		_, _ = fmt.Fprint(p.w, text)
		p.status = true
	}
}

func (p *printer) clear() {
	if p.status {
		_, _ = fmt.Fprint(p.w, "\r\x1b[2K")
		p.status = false
	}
}

func (p *printer) title(text string) { p.line(p.paint(bold, text)) }

type style string

const (
	bold style = "\x1b[1m"
	dim  style = "\x1b[2m"
	red  style = "\x1b[31m"
)

func (p *printer) paint(s style, text string) string {
	if !p.colour || text == "" {
		return text
	}
	return string(s) + text + "\x1b[0m"
}

// row is one line of a table. A style is for the line as a whole, so that escapes do not
// count as width.
type row struct {
	cells []string
	style style
}

// table writes rows in columns as wide as their widest cell; right lists the columns
// that are set to the right. The first row is the head.
func (p *printer) table(rows []row, right ...int) {
	widths := map[int]int{}
	for _, r := range rows {
		for i, cell := range r.cells {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	var lines []string
	for n, r := range rows {
		var b strings.Builder
		for i, cell := range r.cells {
			pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			b.WriteString("  ")
			if slices.Contains(right, i) {
				b.WriteString(pad + cell)
			} else {
				b.WriteString(cell + pad)
			}
		}
		line := strings.TrimRight(b.String(), " ")
		if n == 0 {
			line = p.paint(bold, line)
		} else if r.style != "" {
			line = p.paint(r.style, line)
		}
		lines = append(lines, line)
	}
	p.line(lines...)
}

// The table of users shows all up to shownAll, and of more the first shownFirst and
// those to whom something happened.
const (
	shownAll    = 40
	shownFirst  = 20
	shownErrors = 20
)

func (p *printer) report(r Report) {
	if r.Changes != nil && len(r.Requests) > 0 {
		p.users(r)
	}
	if len(r.Requests) > 0 {
		p.requests(r)
	}
	if c := r.Changes; c != nil && len(r.Requests) > 0 {
		p.line("")
		if c.Count == 0 {
			p.line("No assignment changed.")
		} else {
			p.line(fmt.Sprintf("%s in Redis after the SCIM answer: p50 %s, p99 %s, max %s",
				count(c.Count, "change"), c.P50.delay(), c.P99.delay(), c.Max.delay()))
		}
		if c.Unmatched > 0 {
			p.line(fmt.Sprintf("%s besides that this session did not cause", count(c.Unmatched, "change")))
		}
		for _, userName := range c.Late[:min(len(c.Late), shownErrors)] {
			p.line(p.paint(red, "  not in Redis in time: "+userName))
		}
	}
	p.failures(r)
}

func (p *printer) users(r Report) {
	rows := []row{{cells: []string{"User", "State", "Role", "Roles", "Version", "In Redis after", ""}}}
	hidden := 0
	for i, u := range r.Users {
		if len(r.Users) > shownAll && i >= shownFirst && u.Note == "" {
			hidden++
			continue
		}
		rows = append(rows, u.row())
	}
	p.line("")
	p.table(rows, 4, 5)
	if hidden > 0 {
		p.line(p.paint(dim, fmt.Sprintf("  … and %d more", hidden)))
	}
}

func (u User) row() row {
	state, s := "active", style("")
	switch {
	case !u.Stated:
		state, s = "not there", red
	case !u.Active:
		state, s = "inactive", dim
	}
	after := "unchanged"
	if u.After != nil {
		after = u.After.delay()
	}
	version := ""
	if u.Stated {
		version = strconv.FormatInt(u.Version, 10)
	}
	return row{[]string{u.UserName, state, cmp.Or(u.Role, "–"), cmp.Or(strings.Join(u.Roles, ", "), "–"), version, after, u.Note}, s}
}

func (p *printer) requests(r Report) {
	rows := []row{{cells: []string{"Requests", "Count", "p50", "p99", "max"}}}
	for _, q := range r.Requests {
		rows = append(rows, row{cells: []string{q.Purpose, strconv.Itoa(q.Count), q.P50.text(), q.P99.text(), q.Max.text()}})
	}
	p.line("")
	p.table(rows, 1, 2, 3, 4)
	rate := ""
	if r.Milliseconds > 0 {
		rate = fmt.Sprintf(", %.0f a second", float64(r.Total)/float64(r.Milliseconds)*1000)
	}
	repeats := ""
	if r.Repeats > 0 {
		repeats = fmt.Sprintf(", and %s that the server had put off", count(r.Repeats, "repeat"))
	}
	p.line("", fmt.Sprintf("%s in %s%s%s", count(r.Total, "request"), r.Milliseconds.text(), rate, repeats))
}

func (p *printer) failures(r Report) {
	if len(r.Failures) == 0 {
		return
	}
	p.line("", p.paint(red, fmt.Sprintf("%s would show %s:", r.Provider, count(len(r.Failures), "error"))))
	rows := []row{{cells: []string{"Step", "About", "Request", "Status", "Reason"}}}
	for _, f := range r.Failures[:min(len(r.Failures), shownErrors)] {
		rows = append(rows, row{cells: []string{f.Step, f.About, f.Method + " " + f.Path, f.status(), f.Detail}})
	}
	p.table(rows)
	if hidden := len(r.Failures) - shownErrors; hidden > 0 {
		p.line(fmt.Sprintf("  … and %d more", hidden))
	}
}

// text writes a duration for a person: "<0.1 ms", "2.4 ms", "48 ms", "1.2 s".
func (m Milliseconds) text() string {
	switch {
	case m < 0.1:
		return "<0.1 ms"
	case m < 9.95:
		return fmt.Sprintf("%.1f ms", m)
	case m < 999.5:
		return fmt.Sprintf("%.0f ms", m)
	}
	return fmt.Sprintf("%.1f s", m/1000)
}

// delay writes how long after an answer something landed. Below a millisecond it says no
// more than that: the clock is read at both ends of two connections.
func (m Milliseconds) delay() string {
	if m < 1 {
		return "<1 ms"
	}
	return m.text()
}

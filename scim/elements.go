package scim

import "slices"

// changeElements changes a multi-valued complex attribute, such as emails, or the
// elements of it that a filter selects (RFC 7644 §3.5.2.1 to §3.5.2.3).
func (r *resource) changeElements(n *node, c *change) error {
	a := c.at.attr
	var touched []int // the elements that c has set, by index
	var err error
	switch {
	case c.at.where == nil && c.at.sub == nil:
		touched, err = r.changeList(a, n, c)
	case c.op == remove:
		removeSelected(n, c)
	default:
		touched, err = r.setSelected(a, n, c)
	}
	if err != nil {
		return err
	}
	a.onePrimary(n.parts, touched)
	n.set = len(n.parts) > 0
	return nil
}

// changeList adds to the list, replaces it, or removes it or the listed elements.
func (r *resource) changeList(a *attribute, n *node, c *change) ([]int, error) {
	list, err := a.list(c.at.path, c.value)
	if err != nil {
		return nil, err
	}
	switch {
	case c.op == remove && len(list) > 0:
		n.parts = slices.DeleteFunc(n.parts, func(e node) bool {
			return slices.ContainsFunc(list, func(v node) bool { return a.stands(&v, &e) })
		})
		return nil, nil
	case c.op == remove:
		n.parts = nil
		return nil, nil
	case c.op == replace:
		n.parts = nil
	}
	var touched []int
	for i := range list {
		touched = append(touched, a.merge(n, &list[i]))
	}
	return touched, nil
}

// merge adds an element, or merges it into the one with the same type and value,
// which must not be there twice (RFC 7643 §2.4), and returns its index.
func (a *attribute) merge(n *node, e *node) int {
	for i := range n.parts {
		if !a.alike(&n.parts[i], e) {
			continue
		}
		for j := range e.parts {
			if e.parts[j].set {
				n.parts[i].parts[j] = e.parts[j]
			}
		}
		return i
	}
	n.parts = append(n.parts, *e)
	return len(n.parts) - 1
}

// alike reports whether two elements are one and the same: equal, or with a value
// and equal in type and value.
func (a *attribute) alike(x, y *node) bool {
	if a.value == nil || x.part(a.value) == "" {
		return a.same(x, y)
	}
	return x.part(a.value) == y.part(a.value) && x.part(a.typ) == y.part(a.typ)
}

// stands reports whether e has all that v states.
func (a *attribute) stands(v, e *node) bool {
	for i := range v.parts {
		if v.parts[i].set && !a.subs.list[i].same(&v.parts[i], &e.parts[i]) {
			return false
		}
	}
	return true
}

// selected returns the indexes of the elements that c's filter selects; without a
// filter, all.
func selected(n *node, c *change) []int {
	var indexes []int
	for i := range n.parts {
		if c.at.selects == nil || c.at.selects(&n.parts[i]) {
			indexes = append(indexes, i)
		}
	}
	return indexes
}

// removeSelected removes elements, or one sub-attribute of them. What is not there
// is removed already.
func removeSelected(n *node, c *change) {
	for _, i := range slices.Backward(selected(n, c)) {
		if c.at.sub == nil {
			n.parts = slices.Delete(n.parts, i, i+1)
		} else {
			n.parts[i].parts[c.at.sub.index] = node{}
		}
	}
}

// setSelected sets elements, or one sub-attribute of them. When there is none, the
// element is created if the filter says enough of it; without a filter it does.
func (r *resource) setSelected(a *attribute, n *node, c *change) ([]int, error) {
	indexes := selected(n, c)
	implied, known := node{set: true, parts: make([]node, len(a.subs.list))}, true
	if c.at.where != nil {
		implied, known = a.implied(c.at.where)
	}
	if r.of.strict && c.at.where != nil && len(indexes) > 1 {
		return nil, invalidFilter("%s selects %d elements of %s", quote(c.at.path), len(indexes), a.name)
	}
	if len(indexes) == 0 {
		if !known || r.of.strict && c.at.where != nil {
			return nil, noTarget("no element of %s is selected by %s", a.name, quote(c.at.path))
		}
		n.parts = append(n.parts, implied)
		indexes = []int{len(n.parts) - 1}
	}
	if c.at.sub != nil {
		v, err := r.subValue(c)
		for _, i := range indexes {
			n.parts[i].parts[c.at.sub.index] = v
		}
		return indexes, err
	}
	v, err := a.single(c.at.path, c.value)
	if err != nil {
		return nil, err
	}
	if !v.set { // null: the selected elements go
		removeSelected(n, c)
		return nil, nil
	}
	for _, i := range indexes {
		e := &n.parts[i]
		if c.op == replace {
			// The new element says all, but for what selected it.
			*e = node{set: true, parts: slices.Clone(implied.parts)}
		}
		for j := range v.parts {
			if v.parts[j].set {
				e.parts[j] = v.parts[j]
			}
		}
	}
	return indexes, nil
}

// onePrimary keeps at most one primary element (RFC 7643 §2.4): the first of those
// that were just set, else the first of all. An element that is hollow is no rival: it
// may get its value yet (Entra sets the parts in any order), else it is not kept.
func (a *attribute) onePrimary(elements []node, touched []int) {
	if a.primary == nil {
		return
	}
	isPrimary := func(i int) bool { return elements[i].part(a.primary) == "true" && !a.hollow(&elements[i]) }
	keep := slices.IndexFunc(touched, isPrimary)
	if keep >= 0 {
		keep = touched[keep]
	}
	for i := range elements {
		switch {
		case !isPrimary(i):
		case keep < 0:
			keep = i
		case i != keep:
			elements[i].parts[a.primary.index].text = "false"
		}
	}
}

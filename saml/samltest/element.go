package samltest

import (
	"slices"
	"strings"
)

// Element is an element of a message, as it is written and as a parser reads it.
type Element struct {
	Name       string      // with its prefix, if it has one
	Attributes []Attribute // in order, declarations of namespaces among them
	Children   []Node

	Pad    string // what stands before each attribute; "": one space
	Closed bool   // written <a/> when it has no children
}

// Attribute is an attribute or a declaration of a namespace.
type Attribute struct {
	Name    string
	Value   string // as a parser reads it
	Written string // with its quotes; "": as the canonical form has it
}

// Node is a child of an element: *Element, Text, Written, Comment, Instruction or Raw.
type Node interface{ write(b *strings.Builder) }

// Text is character data, written as the canonical form has it.
type Text string

// Written is character data that is written in another way than its canonical form: with
// character references, entities or CDATA sections.
type Written struct{ Text, Value string }

// Comment is a comment, without its delimiters.
type Comment string

// Instruction is a processing instruction, without its delimiters.
type Instruction string

// Raw is written, and canonicalised, as it stands.
type Raw string

func (t Text) write(b *strings.Builder)        { escapeText(b, string(t)) }
func (w Written) write(b *strings.Builder)     { b.WriteString(w.Text) }
func (c Comment) write(b *strings.Builder)     { b.WriteString("<!--" + string(c) + "-->") }
func (i Instruction) write(b *strings.Builder) { b.WriteString("<?" + string(i) + "?>") }
func (r Raw) write(b *strings.Builder)         { b.WriteString(string(r)) }

func (e *Element) write(b *strings.Builder) {
	b.WriteString("<" + e.Name)
	pad := e.Pad
	if pad == "" {
		pad = " "
	}
	for _, a := range e.Attributes {
		b.WriteString(pad + a.Name + "=")
		if a.Written != "" {
			b.WriteString(a.Written)
			continue
		}
		b.WriteByte('"')
		escapeAttribute(b, a.Value)
		b.WriteByte('"')
	}
	b.WriteString(e.Pad)
	if e.Closed && len(e.Children) == 0 {
		b.WriteString("/>")
		return
	}
	b.WriteByte('>')
	for _, child := range e.Children {
		child.write(b)
	}
	b.WriteString("</" + e.Name + e.Pad + ">")
}

// String returns the element as it is written.
func (e *Element) String() string {
	var b strings.Builder
	e.write(&b)
	return b.String()
}

// Local returns the name without its prefix.
func (e *Element) Local() string {
	_, local := split(e.Name)
	return local
}

// Attr returns the value of the attribute of that name, "" if there is none.
func (e *Element) Attr(name string) string {
	for _, a := range e.Attributes {
		if a.Name == name {
			return a.Value
		}
	}
	return ""
}

// Set sets an attribute, in its place or as the last, and returns the element.
func (e *Element) Set(name, value string) *Element {
	for i := range e.Attributes {
		if e.Attributes[i].Name == name {
			e.Attributes[i] = Attribute{Name: name, Value: value}
			return e
		}
	}
	e.Attributes = append(e.Attributes, Attribute{Name: name, Value: value})
	return e
}

// Unset removes an attribute, and returns the element.
func (e *Element) Unset(name string) *Element {
	e.Attributes = slices.DeleteFunc(e.Attributes, func(a Attribute) bool { return a.Name == name })
	return e
}

// Text returns the character data below the element, as a parser that ignores comments
// reads it.
func (e *Element) Text() string {
	var b strings.Builder
	for _, child := range e.Children {
		switch c := child.(type) {
		case Text:
			b.WriteString(string(c))
		case Written:
			b.WriteString(c.Value)
		case *Element:
			b.WriteString(c.Text())
		}
	}
	return b.String()
}

// SetText replaces the children by character data, and returns the element.
func (e *Element) SetText(text string) *Element {
	e.Children = []Node{Text(text)}
	return e
}

// Elements returns the children that are elements.
func (e *Element) Elements() []*Element {
	var elements []*Element
	for _, child := range e.Children {
		if c, ok := child.(*Element); ok {
			elements = append(elements, c)
		}
	}
	return elements
}

// All returns the element and those below it that have the local name, in the order of the
// document.
func (e *Element) All(local string) []*Element {
	var found []*Element
	if e.Local() == local {
		found = append(found, e)
	}
	for _, child := range e.Elements() {
		found = append(found, child.All(local)...)
	}
	return found
}

// Find returns the first of All. It panics when there is none: a test that asks for what
// is not there is wrong.
func (e *Element) Find(local string) *Element {
	if found := e.find(local); found != nil {
		return found
	}
	panic("samltest: " + e.Name + " has no " + local + " in it")
}

func (e *Element) find(local string) *Element {
	if e.Local() == local {
		return e
	}
	for _, child := range e.Children {
		if c, ok := child.(*Element); ok {
			if found := c.find(local); found != nil {
				return found
			}
		}
	}
	return nil
}

// Append adds children behind the others, and returns the element.
func (e *Element) Append(nodes ...Node) *Element {
	e.Children = append(slices.Clip(e.Children), nodes...)
	return e
}

// Prepend adds children before the others, and returns the element.
func (e *Element) Prepend(nodes ...Node) *Element {
	e.Children = append(slices.Clone(nodes), e.Children...)
	return e
}

// Replace puts nodes in the place of an element below this one: none, to remove it. It
// panics when it is not there.
func (e *Element) Replace(old *Element, nodes ...Node) *Element {
	parent, at := e.parent(old)
	if parent == nil {
		panic("samltest: " + old.Name + " is not below " + e.Name)
	}
	parent.Children = slices.Concat(parent.Children[:at], nodes, parent.Children[at+1:])
	return e
}

// After puts nodes behind an element below this one.
func (e *Element) After(place *Element, nodes ...Node) *Element {
	return e.Replace(place, append([]Node{place}, nodes...)...)
}

// Before puts nodes before an element below this one.
func (e *Element) Before(place *Element, nodes ...Node) *Element {
	return e.Replace(place, append(slices.Clone(nodes), place)...)
}

func (e *Element) parent(of *Element) (*Element, int) {
	for i, child := range e.Children {
		c, ok := child.(*Element)
		if !ok {
			continue
		}
		if c == of {
			return e, i
		}
		if parent, at := c.parent(of); parent != nil {
			return parent, at
		}
	}
	return nil, 0
}

// Clone returns a copy that shares nothing with the element.
func (e *Element) Clone() *Element {
	clone := *e
	clone.Attributes = slices.Clone(e.Attributes)
	clone.Children = slices.Clone(e.Children)
	for i, child := range clone.Children {
		if c, ok := child.(*Element); ok {
			clone.Children[i] = c.Clone()
		}
	}
	return &clone
}

// ancestry returns the elements from the root down to one below it, both included. nil: it is
// not there.
func ancestry(root, to *Element) []*Element {
	if root == to {
		return []*Element{root}
	}
	for _, child := range root.Children {
		if c, ok := child.(*Element); ok {
			if below := ancestry(c, to); below != nil {
				return append([]*Element{root}, below...)
			}
		}
	}
	return nil
}

func split(name string) (prefix, local string) {
	if prefix, local, ok := strings.Cut(name, ":"); ok {
		return prefix, local
	}
	return "", name
}

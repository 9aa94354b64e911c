package scim_test

import "testing"

func TestAnswerOmitsNoMemberAddedByName(t *testing.T) {
	tn := newService(t, "").newTenant()
	a := tn.must(201, "POST", "/Users", `{"userName":"a","externalId":"x-a"}`).string("id")
	r := tn.must(201, "POST", "/Groups", `{"displayName":"g","members":`+memberList("A")+`}`)
	if r.string("members", 0, "value") != a {
		t.Errorf("POST shows %s", r.text)
	}
	at := "/Groups/" + r.string("id")
	if r := tn.must(200, "PATCH", at, patch("remove", "members", memberList("a"))); r.len("members") != 0 {
		t.Errorf("PATCH remove shows %s", r.text)
	}
	if r := tn.must(200, "PATCH", at, patch("add", "members", memberList("x-a"))); r.string("members", 0, "value") != a {
		t.Errorf("PATCH add shows %s", r.text)
	}
}

func TestPutOfMembersByNameRaisesNoRevisionAgain(t *testing.T) {
	tn := newService(t, "").newTenant()
	a, b := tn.user("a"), tn.user("b")
	at := "/Groups/" + tn.newGroup("g")
	body := `{"displayName":"g","members":` + memberList("a", b, "nobody") + `}`
	first := tn.must(200, "PUT", at, body)
	if first.len("members") != 2 || first.string("meta", "version") != `W/"2"` {
		t.Errorf("first PUT shows %s", first.text)
	}
	if again := tn.must(200, "PUT", at, body); again.text != first.text {
		t.Errorf("again PUT shows %s", again.text)
	}
	const stranger = "usr_06h23p57hlsanbvp9ir5hg0q7o" // of the form of an id, and nobody's
	body = `{"displayName":"g","members":` + memberList("a", b, "nobody", stranger) + `}`
	if again := tn.must(200, "PUT", at, body); again.text != first.text {
		t.Errorf("PUT with a stranger's id shows %s", again.text)
	}
	other := tn.must(200, "PUT", at, `{"displayName":"g","members":`+memberList("a")+`}`)
	if other.len("members") != 1 || other.string("members", 0, "value") != a || other.string("meta", "version") != `W/"3"` {
		t.Errorf("PUT of another shows %s", other.text)
	}
}

func TestLastWordOnAMemberCountsUnderAnyName(t *testing.T) {
	tn := newService(t, "").newTenant()
	a := tn.must(201, "POST", "/Users", `{"userName":"a","externalId":"x-a"}`).string("id")
	at := "/Groups/" + tn.newGroup("g")
	for _, tt := range []struct {
		ops  string
		want int
	}{
		{`{"op":"add","path":"members","value":["a"]},{"op":"remove","path":"members","value":["A"]}`, 0},
		{`{"op":"remove","path":"members","value":["A"]},{"op":"add","path":"members","value":["x-a"]}`, 1},
		{`{"op":"remove","path":"members","value":["x-a"]},{"op":"add","path":"members","value":["a"]},{"op":"remove","path":"members[value eq \"` + a + `\"]"}`, 0},
		{`{"op":"replace","path":"members","value":["a"]},{"op":"remove","path":"members","value":["A"]}`, 0},
		{`{"op":"add","path":"members","value":["a"]},{"op":"remove","path":"members","value":["A"]},{"op":"add","path":"members","value":["a"]}`, 1},
	} {
		if r := tn.must(200, "PATCH", at, `{"Operations":[`+tt.ops+`]}`); r.len("members") != tt.want {
			t.Errorf("PATCH %s shows %d members, want %d", tt.ops, r.len("members"), tt.want)
		}
	}
}

package alerts

import "strings"

// Fields are the values an alert has for a field that a suppression rule asks for, named as Azure does without the leading "entities.", in lower case: "ip.address". ok
// is false for a field that isn't known. One alert has several values where it has several entities of the kind.
func (a *Alert) Fields(name string) (values []string, ok bool) {
	kind, of := fieldOf(name)
	if of == nil {
		return nil, false
	}
	switch name {
	case "process.commandline": // of the one that acted, with what it repeated
		for i := range a.Entities {
			if a.Entities[i].Kind == Process {
				values = append(values, a.Entities[i].Line)
				break
			}
		}
		for _, e := range a.Evidence {
			values = append(values, e.Line)
		}
		return values, true
	case "process.ancestor.commandline":
		return a.ancestors(), true
	}
	for i := range a.Entities {
		if e := &a.Entities[i]; e.Kind == kind {
			values = append(values, of(e))
		}
	}
	return values, true
}

// fieldOf tells of which entities a field is, and how to read it.
func fieldOf(name string) (Kind, func(*Entity) string) {
	label := func(e *Entity) string { return e.Name }
	switch name {
	case "ip.address":
		return IP, label
	case "account.name":
		return Account, label
	case "host.hostname":
		return Host, label
	case "host.azureid", "azureresource.resourceid", "azure-resource.resourceid":
		return Host, func(e *Entity) string { return e.Resource }
	case "process.commandline", "process.ancestor.commandline":
		return Process, func(e *Entity) string { return e.Line }
	case "process.imagefile.name":
		return Process, func(e *Entity) string { return e.Image[strings.LastIndexByte(e.Image, '/')+1:] }
	case "process.imagefile.directory":
		return Process, func(e *Entity) string { return e.Image[:max(0, strings.LastIndexByte(e.Image, '/'))] }
	case "file.name":
		return File, func(e *Entity) string { return e.Name[strings.LastIndexByte(e.Name, '/')+1:] }
	case "file.directory":
		return File, func(e *Entity) string { return e.Name[:max(0, strings.LastIndexByte(e.Name, '/'))] }
	case "dns.domainname":
		return DNS, label
	case "url.url":
		return URL, label
	case "network.prefix":
		return Network, label
	}
	return "", nil
}

// ancestors are the command lines of the processes above others.
func (a *Alert) ancestors() (lines []string) {
	for _, edge := range a.Edges {
		if edge.Kind != EdgeStarted {
			continue
		}
		if e := a.Entity(edge.From); e != nil {
			lines = append(lines, e.Line)
		}
	}
	return lines
}

// SPDX-License-Identifier: Apache-2.0

package host

import (
	"regexp"
	"strings"
)

// Attribution is what the path of a cgroup says about whose it is. Names are as systemd
// and the runtimes write them, so that their commands accept them; what the path does not
// say is "".
type Attribution struct {
	Unit      string `json:"unit,omitempty"`      // of the system's systemd
	UserUnit  string `json:"user_unit,omitempty"` // of a user's systemd
	Slice     string `json:"slice,omitempty"`     // the innermost that is not a container's or pod's own
	UID       string `json:"uid,omitempty"`       // of the user whose session or manager it is
	Runtime   string `json:"runtime,omitempty"`
	Container string `json:"container,omitempty"` // id or name
	Pod       string `json:"pod,omitempty"`       // uid of the Kubernetes pod
}

// Name is the shortest name that tells what it is: of the container, the unit, or "".
func (a *Attribution) Name() string {
	switch {
	case a.Container != "":
		return a.Runtime + ":" + shortID(a.Container)
	case a.Pod != "":
		return "pod:" + a.Pod
	case a.UserUnit != "":
		return a.UserUnit
	}
	return a.Unit
}

// shortID cuts ids of 64 hexadecimal digits to the twelve that the runtimes' tools show.
func shortID(id string) string {
	if fullID.MatchString(id) {
		return id[:12]
	}
	return id
}

var fullID = regexp.MustCompile(`^[0-9a-f]{64}$`)

// containerPatterns recognise containers, in order: the first that matches counts. The
// group of a pattern is the container's id or name.
// Sources: the cgroup drivers of runc (libcontainer/cgroups/systemd), containerd's cri
// plugin, cri-o (internal/config/cgmgr), podman (libpod/container_internal_linux.go),
// lxc (src/lxc/cgroups/cgfsng.c), systemd's machined, and paths seen in bug reports.
var containerPatterns = []struct {
	runtime string
	pattern *regexp.Regexp
}{
	{"docker", regexp.MustCompile(`(?:^|/)docker-([0-9a-f]{64})\.scope(?:/|$)`)},
	{"containerd", regexp.MustCompile(`(?:^|/|:)cri-containerd[-:]([0-9a-f]{64})(?:\.scope)?(?:/|$)`)},
	{"containerd", regexp.MustCompile(`(?:^|/)nerdctl-([0-9a-f]{64})\.scope(?:/|$)`)},
	{"cri-o", regexp.MustCompile(`(?:^|/)crio-(?:conmon-)?([0-9a-f]{64})(?:\.scope)?(?:/|$)`)},
	{"podman", regexp.MustCompile(`(?:^|/)libpod-(?:conmon-)?([0-9a-f]{64})(?:\.scope)?(?:/|$)`)},
	{"lxc", regexp.MustCompile(`(?:^|/)lxc\.(?:payload|monitor)[./]([^/]+)`)},
	{"lxc", regexp.MustCompile(`(?:^|/)lxc/([^/]+)`)},
	{"nspawn", regexp.MustCompile(`(?:^|/)systemd-nspawn@([^/]+)\.service(?:/|$)`)},
	{"libvirt", regexp.MustCompile(`(?:^|/)machine-(qemu\\x2d[^/]+)\.scope(?:/|$)`)},
	{"machine", regexp.MustCompile(`(?:^|/)machine-([^/]+)\.scope(?:/|$)`)},
	{"docker", regexp.MustCompile(`(?:^|/)docker/(?:buildx/|buildkit/)?([0-9a-f]{64})(?:/|$)`)},
	{"docker", regexp.MustCompile(`(?:^|/)ecs/[^/]+/([0-9a-f]{64}|[0-9a-f]{32}-[0-9]+)(?:/|$)`)},
	{"kubernetes", regexp.MustCompile(`(?:^|/)kubepods[^/]*/(?:[^/]+/)*pod[0-9a-f_-]{32,36}/([0-9a-f]{64})(?:/|$)`)},
	{"garden", regexp.MustCompile(`(?:^|/)garden/([^/]+)`)},
	{"containerd", regexp.MustCompile(`(?:^|/)(?:default|k8s\.io|moby)/([^/]+)`)},
}

// podPattern is the uid of a pod, in the systemd driver's form with underscores or plain.
var podPattern = regexp.MustCompile(`(?:^|/|-)pod([0-9a-f]{8}[-_]?[0-9a-f]{4}[-_]?[0-9a-f]{4}[-_]?[0-9a-f]{4}[-_]?[0-9a-f]{12})(?:\.slice|/|$|:)`)

// unitPattern are the kinds of units that hold processes (systemd.unit(5)).
var unitPattern = regexp.MustCompile(`\.(?:service|scope|socket|mount|swap)$`)

var (
	userSlice   = regexp.MustCompile(`^user-([0-9]+)\.slice$`)
	userManager = regexp.MustCompile(`^user@([0-9]+)\.service$`)
)

// Attribute reads the path of a cgroup, of either version, as the kernel writes it.
func Attribute(path string) Attribution {
	var a Attribution
	inside := ""
	for _, p := range containerPatterns {
		if m := p.pattern.FindStringSubmatchIndex(path); m != nil {
			a.Runtime, a.Container, inside = p.runtime, path[m[2]:m[3]], path[m[1]:]
			break
		}
	}
	if m := podPattern.FindStringSubmatch(path); m != nil {
		a.Pod = strings.ReplaceAll(m[1], "_", "-")
	}
	a.readUnits(strings.TrimSuffix(path, inside))
	return a
}

// readUnits finds slices and units from the outside, as systemd's cg_path_get_unit does;
// what is below a unit is the unit's own matter, but for those of a user's manager.
func (a *Attribution) readUnits(path string) {
	for part := range strings.SplitSeq(path, "/") {
		switch {
		case strings.HasSuffix(part, ".slice"):
			if m := userSlice.FindStringSubmatch(part); m != nil {
				a.UID = m[1]
			}
			if !podPattern.MatchString(part) && !strings.HasPrefix(part, "kubepods-") {
				a.Slice = part
			}
		case !unitPattern.MatchString(part):
		case a.Unit == "":
			a.Unit = part
			if m := userManager.FindStringSubmatch(part); m != nil {
				a.UID = m[1]
			}
		case userManager.MatchString(a.Unit) && a.UserUnit == "":
			a.UserUnit = part
		}
	}
}

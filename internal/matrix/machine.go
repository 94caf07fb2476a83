// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"syscall"
)

// machine describes how QEMU emulates one architecture. Every machine has three serial ports: the kernel's console,
// the output of the tests, and the control port (see init.sh).
type machine struct {
	goarch  string
	program string
	args    []string
	console string // kernel's name of the console
	output  string // guest's path of the output port
	control string // guest's path of the control port
	serial  string // QEMU option that puts the chardev %s on the next port
}

// machines has a row per Debian architecture.
var machines = map[string]machine{
	"amd64": {
		goarch:  "amd64",
		program: "qemu-system-x86_64",
		args:    []string{"-M", "pc", "-cpu", "max"},
		console: "ttyS0",
		output:  "/dev/ttyS1",
		control: "/dev/ttyS2",
		serial:  "isa-serial,chardev=%s",
	},
	"arm64": {
		goarch:  "arm64",
		program: "qemu-system-aarch64",
		args:    []string{"-M", "virt", "-cpu", "max,pauth-impdef=on"},
		console: "ttyAMA0",
		output:  "/dev/ttyS0",
		control: "/dev/ttyS1",
		serial:  "pci-serial,chardev=%s",
	},
}

// kernelArguments: an oops or a panic ends the guest at once instead of leaving it half alive until the time limit, and
// the console shows warnings and worse.
const kernelArguments = "console=%s loglevel=5 oops=panic panic=-1"

// ports are the reading ends of a running machine's serial ports.
type ports struct {
	console, output, control *os.File
}

// start runs QEMU. Emulation with one thread is what makes patching of kernel text (fentry, kprobes) safe with more
// than one CPU. The process dies with the thread that calls start, so the caller keeps its goroutine on its thread.
func (m machine) start(kernel, initramfs string, cpus int) (*exec.Cmd, ports, error) {
	args := append([]string{}, m.args...)
	args = append(args,
		"-accel", "tcg,thread=single", "-m", "1024", "-smp", strconv.Itoa(cpus),
		"-display", "none", "-nodefaults", "-no-user-config", "-no-reboot",
		"-kernel", kernel, "-initrd", initramfs,
		"-append", fmt.Sprintf(kernelArguments, m.console))
	cmd := exec.Command(m.program)
	var p ports
	var guestEnds []*os.File
	closeAll := func(files ...*os.File) {
		for _, f := range files {
			f.Close()
		}
	}
	for i, port := range []struct {
		name string
		end  **os.File
	}{{"console", &p.console}, {"output", &p.output}, {"control", &p.control}} {
		r, w, err := os.Pipe()
		if err != nil {
			closeAll(guestEnds...)
			p.close()
			return nil, ports{}, fmt.Errorf("creating pipe: %w", err)
		}
		*port.end = r
		guestEnds = append(guestEnds, w)
		args = append(args, "-chardev", fmt.Sprintf("file,id=%s,path=/dev/fd/%d", port.name, 3+i))
		if i == 0 && m.console == "ttyAMA0" { // soldered to the board
			args = append(args, "-serial", "chardev:"+port.name)
		} else {
			args = append(args, "-device", fmt.Sprintf(m.serial, port.name))
		}
	}
	cmd.Args = append(cmd.Args, args...)
	cmd.ExtraFiles = guestEnds
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.Stderr = os.Stderr
	err := cmd.Start()
	closeAll(guestEnds...)
	if err != nil {
		p.close()
		return nil, ports{}, fmt.Errorf("starting %s: %w", m.program, err)
	}
	return cmd, p, nil
}

func (p ports) close() {
	for _, f := range []*os.File{p.console, p.output, p.control} {
		if f != nil {
			f.Close()
		}
	}
}

// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// outputFile is where events go.
type outputFile struct {
	io.Writer
	file *os.File // nil: standard output
}

// openOutput opens the output, and leaves what is in it alone until tracing has begun.
func (o *traceOptions) openOutput(stdout io.Writer) (*outputFile, error) {
	if o.outputFile == "" {
		return &outputFile{Writer: stdout}, nil
	}
	f, err := os.OpenFile(o.outputFile, os.O_WRONLY|os.O_CREATE, 0o644)
	if err != nil {
		return nil, fmt.Errorf("opening the output: %w", err)
	}
	return &outputFile{f, f}, nil
}

// empty drops what an earlier trace has written.
func (f *outputFile) empty() error {
	if f.file == nil {
		return nil
	}
	info, err := f.file.Stat()
	if err == nil && info.Mode().IsRegular() { // a pipe or a terminal has nothing to drop
		err = f.file.Truncate(0)
	}
	if err != nil {
		return fmt.Errorf("emptying the output: %w", err)
	}
	return nil
}

func (f *outputFile) Close() error {
	if f.file == nil {
		return nil
	}
	return f.file.Close()
}

// clearReadyFile removes a ready file, be it of an earlier trace that was killed: who waits
// for it must not see it before or after all is attached. It says, too, when none can be made.
func (o *traceOptions) clearReadyFile() error {
	if o.readyFile == "" {
		return nil
	}
	info, err := os.Lstat(o.readyFile)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		err = unix.Access(filepath.Dir(o.readyFile), unix.W_OK)
	case err == nil && info.Mode().IsRegular(): // a device or a pipe is written to as it is
		err = os.Remove(o.readyFile)
	}
	if err != nil {
		return fmt.Errorf("making room for the ready file %s: %w", o.readyFile, err)
	}
	return nil
}

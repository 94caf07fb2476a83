// SPDX-License-Identifier: Apache-2.0

package main

import (
	"archive/tar"
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

func TestCacheLookup(t *testing.T) {
	c := &cache{dir: t.TempDir()}
	add := func(folder, file string) {
		dir := filepath.Join(c.dir, "files/amd64", folder)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, file), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if f, found := c.lookup(busyboxFile("amd64")); found {
		t.Errorf("found %v in an empty cache", f)
	}
	add("linux-image-6.12.9+deb13-cloud-amd64_6.12.9-1", "vmlinuz")
	add("linux-image-6.12.10+deb13-cloud-amd64_6.12.10-1", "vmlinuz")
	add("linux-image-6.12.11+deb13-cloud-amd64_6.12.11-1", "something")
	add("linux-image-6.1.0-1-cloud-amd64_6.1.99-1", "vmlinuz")
	add("busybox-static_1%3a1.37.0-6", "busybox")
	for _, r := range embeddedRows(t) {
		if r.String() != "6.12 amd64" {
			continue
		}
		if f, found := c.lookup(kernelFile(r)); !found || f.version != "6.12.10-1" {
			t.Errorf("kernel: %v %v", f, found)
		}
	}
	if f, found := c.lookup(busyboxFile("amd64")); !found || f.version != "1:1.37.0-6" {
		t.Errorf("busybox: %v %v", f, found)
	}
}

func TestCopyFromTar(t *testing.T) {
	for name, want := range map[string]bool{
		"./boot/vmlinuz-6.12.117+deb13-cloud-amd64": true,
		"./usr/lib/modules/7.2.13/vmlinuz":          true,
		"./lib/modules/7.2.13/vmlinuz":              true,
		"./boot/config-6.12":                        false,
	} {
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		_ = w.WriteHeader(&tar.Header{Name: "./boot/", Typeflag: tar.TypeDir})
		_ = w.WriteHeader(&tar.Header{Name: name, Size: 5, Typeflag: tar.TypeReg})
		_, _ = w.Write([]byte("image"))
		_ = w.Close()
		to := filepath.Join(t.TempDir(), "vmlinuz")
		err := copyFromTar(&b, vmlinuzPath, to)
		content, _ := os.ReadFile(to)
		if (err == nil) != want || (want && string(content) != "image") {
			t.Errorf("%s: %q, %v", name, content, err)
		}
	}
}

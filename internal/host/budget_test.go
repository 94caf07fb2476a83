// SPDX-License-Identifier: Apache-2.0

package host

import (
	"os"
	"path/filepath"
	"testing"
)

// TestFileCache: pages of files are no use of memory that makes the kernel refuse.
func TestFileCache(t *testing.T) {
	for name, c := range map[string]struct {
		stat string
		want uint64
	}{
		"version 2": {"anon 4096\nfile 900\ninactive_file 300\nactive_file 200\n", 500},
		"version 1": {"cache 5\ninactive_file 30\nactive_file 20\ntotal_cache 9\ntotal_inactive_file 300\ntotal_active_file 200\n", 500},
		"broken":    {"inactive_file\nactive_file x\n\x00", 0},
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "memory.stat"), []byte(c.stat), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := fileCache(dir); got != c.want {
			t.Errorf("%s: %d", name, got)
		}
	}
	if got := fileCache(t.TempDir()); got != 0 {
		t.Errorf("without the file: %d", got)
	}
}

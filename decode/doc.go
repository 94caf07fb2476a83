// SPDX-License-Identifier: Apache-2.0

// Package decode turns what the kernel side recorded into meaning: records, flags,
// kinds, errnos, and the rule by which a kernel refuses a request. It is pure: it reads
// no files, makes no system calls, imports the standard library only and builds on any
// operating system. Everything it knows stands in tables whose rows name their source.
package decode

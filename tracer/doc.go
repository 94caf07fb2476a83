// SPDX-License-Identifier: Apache-2.0

// Package tracer loads the kernel side, attaches it by the best plan that this kernel
// allows, and reads what it records. It prints nothing: records go to a handler, and
// what it learned about the kernel, the loss and the totals is returned.
package tracer

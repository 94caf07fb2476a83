// SPDX-License-Identifier: Apache-2.0

// Package top is the live screen: a model that frames and keys change, and its pictures,
// which are also what is printed where there is no terminal.
package top

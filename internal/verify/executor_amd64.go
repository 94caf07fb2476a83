// SPDX-License-Identifier: Apache-2.0

package verify

import _ "embed"

//go:embed executor_amd64
var program []byte

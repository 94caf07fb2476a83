// SPDX-License-Identifier: Apache-2.0

package top

import (
	"slices"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/forktrace/forktrace/internal/activity"
)

// FrameMsg brings the next frame.
type FrameMsg struct{ Frame *activity.Frame }

// ErrMsg ends the screen with an error.
type ErrMsg struct{ Err error }

// SavedMsg says what became of a snapshot.
type SavedMsg struct{ Text string }

// history is how many intervals the sparkline shows.
const history = 40

// Model is the state of the screen.
type Model struct {
	// Next is the command that waits for the next frame; nil in tests.
	Next tea.Cmd
	// Save writes a frame to a file and says where.
	Save  func(*activity.Frame) tea.Cmd
	By    activity.By
	Every time.Duration
	Color bool
	Notes []string // what this kernel does not let us see

	Err      error // why it ended
	frame    *activity.Frame
	rates    []float64
	rowRates []float64      // of the row that is open
	open     activity.Entry // that row, as it was last
	idle     bool           // nothing happened in it in the last interval
	width    int
	height   int
	cursor   int
	key      string // of the row under the cursor, which it follows
	moved    bool   // by the user: until then the cursor stays on the first row
	opened   bool
	scroll   int // lines of the open row that are above the screen
	filter   string
	typing   bool
	paused   bool
	help     bool
	status   string
	quitting bool
}

// Init asks for the first frame.
func (m Model) Init() tea.Cmd { return m.Next }

// Update changes the state; it does nothing else.
func (m Model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
	case FrameMsg:
		if msg.Frame != nil {
			m.take(msg.Frame)
		}
		return m, m.Next
	case ErrMsg:
		m.Err = msg.Err
		return m, tea.Quit
	case SavedMsg:
		m.status = msg.Text
	case tea.KeyPressMsg:
		return m.press(msg)
	}
	return m, nil
}

// AddRate adds a frame's creations a second to those before, of which the last ones are kept.
func AddRate(rates []float64, f *activity.Frame) []float64 {
	rates = append(rates, float64(sum(f.Created))/f.Seconds)
	return rates[max(0, len(rates)-history):]
}

func (m *Model) take(f *activity.Frame) {
	m.rates = AddRate(m.rates, f)
	if m.paused {
		return
	}
	m.frame = f
	m.follow()
	if m.opened {
		m.refresh()
	}
}

// refresh takes what the open row has become.
func (m *Model) refresh() {
	rate := 0.0
	rows := m.frame.Groups[m.By]
	i := slices.IndexFunc(rows, func(e activity.Entry) bool { return e.Key == m.key })
	if m.idle = i < 0; !m.idle {
		m.open, rate = rows[i], rows[i].Rate
	}
	m.rowRates = append(m.rowRates, rate)
	m.rowRates = m.rowRates[max(0, len(m.rowRates)-history):]
}

// follow keeps the cursor on its row while rows change places.
func (m *Model) follow() {
	rows := m.rows()
	if !m.moved && !m.opened {
		m.cursor = 0
	} else if i := slices.IndexFunc(rows, func(e activity.Entry) bool { return e.Key == m.key }); i >= 0 {
		m.cursor = i
	}
	m.point(m.cursor)
}

// point puts the cursor on a row.
func (m *Model) point(i int) {
	rows := m.rows()
	m.cursor = max(0, min(i, len(rows)-1))
	if m.cursor < len(rows) && !m.opened {
		m.key = rows[m.cursor].Key
	}
}

// rows are those that the filter lets through.
func (m *Model) rows() []activity.Entry {
	if m.frame == nil {
		return nil
	}
	all := m.frame.Groups[m.By]
	if m.filter == "" {
		return all
	}
	var some []activity.Entry
	for _, e := range all {
		text := strings.Join(append([]string{e.Name, e.User, e.Cgroup, e.Owner, e.File}, e.Lineage...), "\n")
		if strings.Contains(text, m.filter) {
			some = append(some, e)
		}
	}
	return some
}

// press acts on a key.
func (m Model) press(k tea.KeyPressMsg) (tea.Model, tea.Cmd) {
	m.status = ""
	if m.typing {
		return m.edit(k), nil
	}
	if m.help {
		m.help = false
		return m, nil
	}
	switch k.String() {
	case "q", "ctrl+c":
		m.quitting = true
		return m, tea.Quit
	case "?", "h":
		m.help = true
	case "p", "space":
		m.paused = !m.paused
	case "/":
		m.typing = true
	case "s":
		if m.frame != nil && m.Save != nil {
			return m, m.Save(m.frame)
		}
	case "esc", "alt+esc": // the latter: two, faster than a terminal tells apart
		if !m.opened {
			m.filter, m.moved = "", false
		}
		m.opened = false
		m.point(m.cursor)
	case "enter", "right", "l":
		m.openRow()
	case "left":
		m.opened = false
	case "up", "k":
		m.move(-1)
	case "down", "j":
		m.move(1)
	case "home", "g":
		m.moved, m.scroll = false, 0
		m.point(0)
	case "tab":
		m.switchTo(activity.Ways[(slices.Index(activity.Ways, m.By)+1)%len(activity.Ways)])
	default:
		if len(k.Text) == 1 && k.Text[0] >= '1' && int(k.Text[0]-'1') < len(activity.Ways) {
			m.switchTo(activity.Ways[k.Text[0]-'1'])
		}
	}
	return m, nil
}

// move moves the cursor, or what is shown of the open row.
func (m *Model) move(by int) {
	if m.opened {
		m.scroll = max(0, min(m.scroll+by, len(m.openLines())-m.openRoom()+1))
		return
	}
	m.moved = true
	m.point(m.cursor + by)
}

// openLines tell of the open row.
func (m *Model) openLines() []string {
	lines := detail(&m.open, m.rowRates)
	if m.idle {
		lines = append(lines, "", "  nothing has happened since: these are its last numbers")
	}
	return lines
}

// openRoom is how many lines of the open row there is room for, below the header.
func (m *Model) openRoom() int {
	width, height := m.size()
	return height - len(m.head(width)) - 2
}

// openRow opens the row under the cursor.
func (m *Model) openRow() {
	if rows := m.rows(); m.cursor < len(rows) && !m.opened {
		m.open, m.idle, m.scroll = rows[m.cursor], false, 0
		m.opened, m.key, m.rowRates = true, m.open.Key, []float64{m.open.Rate}
	}
}

func (m *Model) switchTo(by activity.By) {
	m.By, m.cursor, m.moved, m.opened = by, 0, false, false
	m.point(0)
}

// edit changes the filter.
func (m Model) edit(k tea.KeyPressMsg) Model {
	switch k.String() {
	case "enter":
		m.typing = false
	case "esc", "ctrl+c":
		m.typing, m.filter = false, ""
	case "backspace":
		if r := []rune(m.filter); len(r) > 0 {
			m.filter = string(r[:len(r)-1])
		}
	default:
		m.filter += k.Text
	}
	m.point(m.cursor)
	return m
}

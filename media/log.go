package media

import (
	"fmt"
	"log/slog"

	"github.com/pion/logging"
)

// logs passes the WebRTC library's log on to slog, one level lower: errors tell what happens to a call, the log only
// adds details. The library's trace and debug output is dropped, because it may contain credentials of the connection.
type logs struct{ logger *slog.Logger }

// NewLogger implements logging.LoggerFactory.
func (l logs) NewLogger(scope string) logging.LeveledLogger {
	return logs{l.logger.With("webrtc", scope)}
}

func (l logs) Trace(string)          {}
func (l logs) Tracef(string, ...any) {}
func (l logs) Debug(string)          {}
func (l logs) Debugf(string, ...any) {}

func (l logs) Info(msg string)                { l.logger.Debug(msg) }
func (l logs) Infof(format string, a ...any)  { l.logger.Debug(fmt.Sprintf(format, a...)) }
func (l logs) Warn(msg string)                { l.logger.Debug(msg) }
func (l logs) Warnf(format string, a ...any)  { l.logger.Debug(fmt.Sprintf(format, a...)) }
func (l logs) Error(msg string)               { l.logger.Warn(msg) }
func (l logs) Errorf(format string, a ...any) { l.logger.Warn(fmt.Sprintf(format, a...)) }

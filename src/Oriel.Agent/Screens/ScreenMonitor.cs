using Google.Protobuf;
using Oriel.Linux.Clocks;
using Oriel.Linux.Polling;
using Oriel.Protocol.Display;
using Oriel.Screen.Png;
using Oriel.Screen.X11.Capture;
using Oriel.Screen.X11.Raw;

namespace Oriel.Agent.Screens;

/// <summary>
/// Follows the screen's size, windows and cursor on one thread with one connection, for all watchers. A watcher gets the newest of
/// each kind: one who lags sees fewer changes, never a queue.
/// </summary>
internal sealed partial class ScreenMonitor(XDisplay display, PointerPosition pointer, ILogger<ScreenMonitor> logger) : BackgroundService
{
    private readonly Lock _lock = new();
    private readonly List<ScreenWatch> _watches = [];
    private readonly Dictionary<DisplayEvent.KindOneofCase, DisplayEvent> _present = [];
    private Exception? _ended;

    /// <summary>A watch that holds all present states already. Dispose it.</summary>
    internal ScreenWatch Watch()
    {
        lock (_lock)
        {
            var watch = new ScreenWatch(Remove);
            foreach (var state in _present.Values)
            {
                watch.Post(state);
            }

            if (_ended is not null)
            {
                watch.End(_ended);
            }

            _watches.Add(watch);
            return watch;
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var address = await display.Ready.WaitAsync(stoppingToken);
        await Task.Factory.StartNew(
            () => Run(address, stoppingToken),
            CancellationToken.None,
            TaskCreationOptions.LongRunning,
            TaskScheduler.Default
        );
    }

    private void Run(XDisplayAddress address, CancellationToken stop)
    {
        try
        {
            using var poller = new Poller();
            using var registration = stop.Register(poller.Wake);
            using var watcher = XScreenWatcher.Open(address.Name, address.AuthorityPath);
            while (!stop.IsCancellationRequested)
            {
                watcher.ReadEvents();
                if (watcher.Changes == XChanges.None)
                {
                    poller.Wait(watcher.Descriptor, -1);
                    continue;
                }

                PublishChanges(watcher);
            }

            EndAll(new OperationCanceledException("the agent ends"));
        }
        catch (XException e)
        {
            LogServerGone(e);
            EndAll(e);
        }
    }

    private void PublishChanges(XScreenWatcher watcher)
    {
        if (watcher.Changes.HasFlag(XChanges.Size))
        {
            Publish(new DisplayEvent { Size = Convert(watcher.ReadSize()) });
        }

        if (watcher.Changes.HasFlag(XChanges.Windows))
        {
            Publish(new DisplayEvent { Windows = Convert(watcher.ReadWindows()) });
        }

        if (watcher.Changes.HasFlag(XChanges.Cursor) && watcher.ReadCursor() is { } cursor)
        {
            Publish(new DisplayEvent { Cursor = Convert(cursor) });
        }

        var (x, y) = watcher.ReadPointer();
        if (pointer.IsMovedByGuest(x, y, MonotonicClock.NowUs))
        {
            Publish(
                new DisplayEvent
                {
                    Position = new CursorPosition { X = x, Y = y },
                }
            );
        }
    }

    internal static ScreenSize Convert(XScreenSize size) =>
        new()
        {
            Width = (uint)size.Width,
            Height = (uint)size.Height,
            MaxWidth = (uint)size.MaxWidth,
            MaxHeight = (uint)size.MaxHeight,
        };

    private static Cursor Convert(XCursorImage image) =>
        new()
        {
            Serial = image.Serial,
            Width = (uint)image.Width,
            Height = (uint)image.Height,
            HotX = (uint)image.HotX,
            HotY = (uint)image.HotY,
            Png = UnsafeByteOperations.UnsafeWrap(PngEncoder.EncodeBgra(image.Pixels, image.Width, image.Height)),
            Name = image.Name,
        };

    private static WindowList Convert(IReadOnlyList<XWindowInfo> windows)
    {
        var list = new WindowList();
        list.Windows.AddRange(
            windows.Select(window => new Window
            {
                Id = window.Id,
                Title = window.Title,
                WindowClass = window.Class,
                X = window.X,
                Y = window.Y,
                Width = (uint)window.Width,
                Height = (uint)window.Height,
                Mapped = window.Mapped,
            })
        );
        return list;
    }

    internal void Publish(DisplayEvent state)
    {
        lock (_lock)
        {
            if (state.Clipboard is null && _present.TryGetValue(state.KindCase, out var before) && before.Equals(state))
            {
                return;
            }

            // The same text copied again is news, and a text that was too long is none to whoever comes later.
            if (state.Clipboard is { TooLong: true })
            {
                _present.Remove(state.KindCase);
            }
            else
            {
                _present[state.KindCase] = state;
            }

            foreach (var watch in _watches)
            {
                watch.Post(state);
            }
        }
    }

    private void EndAll(Exception cause)
    {
        lock (_lock)
        {
            _ended = cause;
            foreach (var watch in _watches)
            {
                watch.End(cause);
            }
        }
    }

    private void Remove(ScreenWatch watch)
    {
        lock (_lock)
        {
            _watches.Remove(watch);
        }
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "The X server cannot be watched any more")]
    private partial void LogServerGone(Exception cause);
}

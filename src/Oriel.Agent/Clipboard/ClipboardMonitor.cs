using System.Threading.Channels;
using Oriel.Agent.Display;
using Oriel.Agent.Session;
using Oriel.Linux.Posix;
using Oriel.Linux.X11;
using Oriel.Protocol.Display;

namespace Oriel.Agent.Clipboard;

/// <summary>Owns the guest's clipboard connection on one thread: tells the watchers what is copied, and offers what the viewers copied.</summary>
internal sealed partial class ClipboardMonitor(XDisplay display, ScreenMonitor monitor, ILogger<ClipboardMonitor> logger) : BackgroundService
{
    // The newest text wins; one that nobody could paste in between is of no use.
    private readonly Channel<string> _texts = Channel.CreateBounded<string>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropOldest });
    private readonly Poller _poller = new();

    internal void SetText(string text)
    {
        _texts.Writer.TryWrite(text);
        _poller.Wake();
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var address = await display.Ready.WaitAsync(stoppingToken);
        await Task.Factory.StartNew(() => Run(address, stoppingToken), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
    }

    public override void Dispose()
    {
        _poller.Dispose();
        base.Dispose();
    }

    private void Run(XDisplayAddress address, CancellationToken stop)
    {
        try
        {
            using var registration = stop.Register(_poller.Wake);
            using var clipboard = XClipboard.Open(address.Name, address.AuthorityPath);
            while (!stop.IsCancellationRequested)
            {
                clipboard.ReadEvents();
                if (clipboard.TakeText() is { } copied)
                {
                    monitor.Publish(new DisplayEvent { Clipboard = new Protocol.Display.Clipboard { Text = copied } });
                }

                if (_texts.Reader.TryRead(out var text))
                {
                    clipboard.SetText(text);
                    continue;
                }

                _poller.Wait(clipboard.Descriptor, clipboard.DeadlineUs);
            }
        }
        catch (XException e)
        {
            LogServerGone(e);
        }
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "The clipboard cannot be served any more")]
    private partial void LogServerGone(Exception cause);
}

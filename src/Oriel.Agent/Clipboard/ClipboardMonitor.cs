using System.Threading.Channels;
using Oriel.Agent.Screens;
using Oriel.Linux.Polling;
using Oriel.Protocol.Display;
using Oriel.Screen.X11.Clipboard;
using Oriel.Screen.X11.Raw;

namespace Oriel.Agent.Clipboard;

/// <summary>
/// Owns the guest's clipboard connection on one thread: tells the watchers what is copied, and offers what the viewers copied.
/// </summary>
internal sealed partial class ClipboardMonitor(XDisplay display, ScreenMonitor monitor, ILogger<ClipboardMonitor> logger)
    : BackgroundService
{
    // The newest text wins; one that nobody could paste in between is of no use.
    private readonly Channel<Offer> _offers = Channel.CreateBounded<Offer>(
        new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropOldest },
        dropped => dropped.Done.TrySetResult()
    );

    private readonly Poller _poller = new();

    /// <summary>
    /// Ends when the X server knows the text's owner, so that a paste key that follows finds it; or a newer text took its place.
    /// </summary>
    /// <exception cref="InvalidOperationException">The X server is gone.</exception>
    internal async Task SetTextAsync(string text, CancellationToken cancellationToken)
    {
        var offer = new Offer(text);
        if (!_offers.Writer.TryWrite(offer))
        {
            throw new InvalidOperationException("The clipboard is not served any more.");
        }

        _poller.Wake();
        await offer.Done.Task.WaitAsync(cancellationToken);
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

                if (clipboard.TakeIsTooLong())
                {
                    monitor.Publish(new DisplayEvent { Clipboard = new Protocol.Display.Clipboard { TooLong = true } });
                }

                if (_offers.Reader.TryRead(out var offer))
                {
                    clipboard.SetText(offer.Text);
                    offer.Done.TrySetResult();
                    continue;
                }

                _poller.Wait(clipboard.Descriptor, clipboard.DeadlineUs);
            }
        }
        catch (XException e)
        {
            LogServerGone(e);
        }
        finally
        {
            _offers.Writer.TryComplete();
            while (_offers.Reader.TryRead(out var left))
            {
                left.Done.TrySetException(new InvalidOperationException("The clipboard is not served any more."));
            }
        }
    }

    private sealed record Offer(string Text)
    {
        public TaskCompletionSource Done { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "The clipboard cannot be served any more")]
    private partial void LogServerGone(Exception cause);
}

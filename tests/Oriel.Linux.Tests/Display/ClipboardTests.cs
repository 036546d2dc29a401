using System.Diagnostics;
using Grpc.Core;
using Oriel.Linux.Clocks;
using Oriel.Linux.Polling;
using Oriel.Protocol.Display;
using Oriel.Screen.X11.Clipboard;

namespace Oriel.Linux.Tests.Display;

public sealed class ClipboardTests
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(30);

    [Theory]
    [InlineData(12)]
    [InlineData(1_000_000)]
    public async Task Clipboard_CopiedInGuest_ReachesTheWatcher(int length)
    {
        await using var desk = await WatchTests.WatchDesk.StartAsync();
        using var program = new ClipboardProgram(desk.Server);
        var text = MakeText(length);
        program.Copy(text);
        var seen = await desk.ReadUntilAsync(e => e.Clipboard is not null);

        Assert.Equal(text, seen.Clipboard.Text);
    }

    [Theory]
    [InlineData(12)]
    [InlineData(1_000_000)]
    public async Task Clipboard_SetByViewer_IsPastedInGuest(int length)
    {
        await using var desk = await WatchTests.WatchDesk.StartAsync();
        using var program = new ClipboardProgram(desk.Server);
        var text = MakeText(length);
        await desk.Client.SetClipboardAsync(new Clipboard { Text = text }, cancellationToken: TestContext.Current.CancellationToken);

        Assert.Equal(text, program.WaitForText(Deadline));
    }

    [Fact]
    public async Task Clipboard_SetByViewer_DoesNotComeBackToTheWatchers()
    {
        await using var desk = await WatchTests.WatchDesk.StartAsync();
        using var program = new ClipboardProgram(desk.Server);
        await desk.Client.SetClipboardAsync(
            new Clipboard { Text = "from the viewer" },
            cancellationToken: TestContext.Current.CancellationToken
        );
        Assert.Equal("from the viewer", program.WaitForText(Deadline));
        program.Copy("from the guest");
        // The first text that a watcher sees is the guest's own.
        var seen = await desk.ReadUntilAsync(e => e.Clipboard is not null);

        Assert.Equal("from the guest", seen.Clipboard.Text);
    }

    /// <summary>
    /// A program copies, and the viewer's text comes before the loss of the clipboard has been noticed: the notice is of an ownership that
    /// is over.
    /// </summary>
    [Fact]
    public async Task Clipboard_TakenAndTakenBackAtOnce_IsPasted()
    {
        await using var server = await XServer.StartAsync();
        using var viewer = Open(server);
        using var program = Open(server);
        viewer.SetText("first");
        program.SetText("the program's");
        viewer.SetText("second");

        Assert.Equal("second", Pasted(viewer, program));
    }

    [Fact]
    public async Task Clipboard_SameTextAfterAProgramCopiedNone_IsPasted()
    {
        await using var server = await XServer.StartAsync();
        using var viewer = Open(server);
        using var program = Open(server);
        viewer.SetText("same");
        Assert.Equal("same", Pasted(viewer, program));
        program.SetText("");
        viewer.SetText("same");
        using var another = Open(server);

        Assert.Equal("same", Pasted(viewer, another));
    }

    /// <summary>Each copy is a new owner (ICCCM 2.1): the viewer may have copied something else meanwhile.</summary>
    [Fact]
    public async Task Clipboard_SameTextCopiedAgain_IsReportedAgain()
    {
        await using var server = await XServer.StartAsync();
        using var viewer = Open(server);
        using var program = Open(server);
        using var another = Open(server);
        program.SetText("same");
        Assert.Equal("same", Pasted(program, viewer));
        another.SetText("same");
        Assert.Equal("same", Pasted(another, viewer));
    }

    private static XClipboard Open(XServer server) => XClipboard.Open(server.Address.Name, server.Address.AuthorityPath);

    /// <summary>What the program gets, both taking their events in turn.</summary>
    private static string Pasted(XClipboard owner, XClipboard program)
    {
        using var poller = new Poller();
        for (var until = MonotonicClock.NowUs + (long)Deadline.TotalMicroseconds; MonotonicClock.NowUs < until; )
        {
            owner.ReadEvents();
            program.ReadEvents();
            if (program.TakeText() is { } text)
            {
                return text;
            }

            poller.Wait(program.Descriptor, MonotonicClock.NowUs + 1000);
        }

        throw new TimeoutException($"no clipboard text within {Deadline}");
    }

    [Fact]
    public async Task Clipboard_LongerThanTheBound_IsRefused()
    {
        await using var desk = await WatchTests.WatchDesk.StartAsync();
        var error = await Assert.ThrowsAsync<RpcException>(async () =>
            await desk.Client.SetClipboardAsync(
                new Clipboard { Text = new string('x', XClipboard.MaxBytes + 1) },
                cancellationToken: TestContext.Current.CancellationToken
            )
        );
        Assert.Equal(StatusCode.InvalidArgument, error.StatusCode);
    }

    [Fact]
    public async Task Clipboard_Xclip_WorksBothWaysWithLongText()
    {
        if (!File.Exists("/usr/bin/xclip"))
        {
            Assert.Skip("xclip is not installed (package xclip)");
        }

        await using var desk = await WatchTests.WatchDesk.StartAsync();
        var copied = MakeText(600_000);
        using var owner = StartXclip(desk.Server, "-i");
        await owner.StandardInput.WriteAsync(copied);
        owner.StandardInput.Close();
        Assert.Equal(copied, (await desk.ReadUntilAsync(e => e.Clipboard is not null)).Clipboard.Text);

        var set = MakeText(700_000);
        await desk.Client.SetClipboardAsync(new Clipboard { Text = set }, cancellationToken: TestContext.Current.CancellationToken);
        // xclip gives its selection up, and so ends, when the viewer's text takes over.
        await owner.WaitForExitAsync(TestContext.Current.CancellationToken);
        using var reader = StartXclip(desk.Server, "-o");
        Assert.Equal(set, await reader.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken));
    }

    private static Process StartXclip(XServer server, string direction) =>
        Process.Start(
            new ProcessStartInfo("/usr/bin/xclip", ["-selection", "clipboard", "-target", "UTF8_STRING", "-quiet", direction])
            {
                RedirectStandardInput = true,
                RedirectStandardOutput = true,
                RedirectStandardError = true,
                Environment =
                {
                    ["DISPLAY"] = server.Address.Name,
                    ["XAUTHORITY"] = server.Address.AuthorityPath,
                    ["LC_ALL"] = "C.UTF-8",
                },
            }
        )!;

    private static string MakeText(int length)
    {
        var random = new Random(length);
        return string.Create(
            length / 3,
            random,
            static (span, random) =>
            {
                foreach (ref var c in span)
                {
                    c = (char)(
                        random.Next(3) switch
                        {
                            0 => random.Next('a', 'z'),
                            1 => random.Next(0xC0, 0x17F),
                            _ => random.Next(0x4E00, 0x4F00),
                        }
                    );
                }
            }
        );
    }

    /// <summary>A program of the guest with a clipboard, on a thread of its own as any program is.</summary>
    private sealed class ClipboardProgram : IDisposable
    {
        private readonly XClipboard _clipboard;
        private readonly Poller _poller = new();
        private readonly Thread _thread;
        private readonly TaskCompletionSource<string> _seen = new();
        private volatile string? _copy;
        private volatile bool _stopped;

        internal ClipboardProgram(XServer server)
        {
            _clipboard = Open(server);
            _thread = new Thread(Run);
            _thread.Start();
        }

        internal void Copy(string text)
        {
            _copy = text;
            _poller.Wake();
        }

        internal string WaitForText(TimeSpan deadline) =>
            _seen.Task.Wait(deadline) ? _seen.Task.Result : throw new TimeoutException($"no clipboard text within {deadline}");

        public void Dispose()
        {
            _stopped = true;
            _poller.Wake();
            _thread.Join();
            _clipboard.Dispose();
            _poller.Dispose();
        }

        private void Run()
        {
            while (!_stopped)
            {
                _clipboard.ReadEvents();
                if (_clipboard.TakeText() is { } text)
                {
                    _seen.TrySetResult(text);
                }

                if (_copy is { } copy)
                {
                    _copy = null;
                    _clipboard.SetText(copy);
                    continue;
                }

                _poller.Wait(_clipboard.Descriptor, _clipboard.DeadlineUs);
            }
        }
    }
}

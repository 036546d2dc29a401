using Oriel.Server.Desktops;
using Oriel.Streaming.Page;

namespace Oriel.Tests.Fuzz;

/// <summary>What a page may say on its data channels and its WebSockets.</summary>
public sealed class PageFuzzTests
{
    private const int MaxClipboard = 64 * 1024;

    [Fact]
    public void PageMessage_Mutated_IsReadOrIgnored()
    {
        var pieces = new ClipboardPieces(MaxClipboard);
        Fuzzer.Run(
            "page-message",
            input =>
            {
                PointerMessage.TryParse(input, out _);
                Judge(PageMessage.Parse(input), pieces);
                Judge(SocketMessage.Parse(input)?.M, pieces);
            },
            iterations: 10_000,
            form: FuzzForm.Json
        );
    }

    [Fact]
    public void ProcessWish_Mutated_IsReadOrRefused() =>
        Fuzzer.Run(
            "process-wish",
            input =>
            {
                if (ProcessSocket.Read(input, out var wish) is null)
                {
                    Assert.True(
                        wish
                            is { Signal: >= 1 and <= 20 }
                                or { EndOfStdin: true }
                                or { Window: { Columns: >= 1 and <= 1000, Rows: >= 1 and <= 1000 } },
                        $"{wish}"
                    );
                }
            },
            iterations: 10_000,
            form: FuzzForm.Json
        );

    private static void Judge(PageMessage? message, ClipboardPieces pieces)
    {
        if (message is null)
        {
            return;
        }

        if (InputParser.Parse(message) is { } input)
        {
            Assert.InRange(input.CalculateSize(), 0, 20_000);
            Assert.True(input.Button is null or { X: >= 0 and <= 16383, Y: >= 0 and <= 16383, Button: <= 4 });
            Assert.True(input.Wheel is null or { X: >= 0 and <= 16383, Dx: >= -12000 and <= 12000, Dy: >= -12000 and <= 12000 });
        }

        if (InputParser.Point(message) is { } at)
        {
            InputParser.Move(at.X, at.Y);
        }

        InputParser.Number(message.Max ?? double.NaN, 1, 60);
        InputParser.Number(message.Width ?? double.NaN, 0, int.MaxValue);
        if (message is { T: "clipboard", Text: { } piece } && pieces.Add(piece, message.More == true) is { } whole)
        {
            Assert.InRange(System.Text.Encoding.UTF8.GetByteCount(whole), 0, MaxClipboard);
        }
    }
}

using System.Text;
using Oriel.Agent.Exec;
using Oriel.Protocol.Guest;

namespace Oriel.Tests.GuestAgent;

public sealed class OutputLogTests
{
    private const int Capacity = 64 * 1024;

    /// <summary>
    /// Whatever the sizes and streams: what is read is what was written, from where the log begins, and the newest is kept.
    /// </summary>
    [Theory]
    [InlineData(1, 1)]
    [InlineData(1, 7)]
    [InlineData(3000, 1)]
    [InlineData(40_000, 3)]
    [InlineData(100_000, 2)]
    public void Log_PiecesOfAnySize_KeepsTheNewestInOrder(int most, int run)
    {
        var random = new Random(most + run);
        var log = new OutputLog(Capacity);
        var written = new List<(byte Value, bool IsError)>();
        for (var i = 0; written.Count < 10 * Capacity; i++)
        {
            var bytes = new byte[random.Next(1, most + 1)];
            random.NextBytes(bytes);
            var isError = i / run % 2 == 1;
            log.Append(isError, bytes);
            written.AddRange(bytes.Select(value => (value, isError)));
        }

        Assert.Equal(written.Count, log.End);
        var read = new List<(byte, bool)>();
        for (var at = log.Begin; log.Read(at) is { } output; at = output.Offset + BytesOf(output).Length)
        {
            Assert.Equal(at, output.Offset);
            read.AddRange(BytesOf(output).Select(value => (value, output.KindCase == ProcessOutput.KindOneofCase.Stderr)));
        }

        Assert.Equal(written[(int)log.Begin..], read);
        Assert.InRange(log.End - log.Begin, 1, Math.Max(Capacity, most));
        // Streams in long turns fill the log; each turn of one byte takes a block.
        Assert.True(most < 100 || log.End - log.Begin > Capacity / 4, $"{log.End - log.Begin} bytes are kept");
        Assert.Equal(log.Begin, log.Read(0)!.Offset);
    }

    [Fact]
    public async Task Changed_OfAnAppendAndOfTheEnd_Completes()
    {
        var log = new OutputLog(Capacity);
        var changed = log.Changed;
        log.Append(false, "a"u8);
        await changed.WaitAsync(TestContext.Current.CancellationToken);
        changed = log.Changed;
        Assert.False(changed.IsCompleted);
        log.Complete(new ExecExit { ExitCode = 3 });
        await changed.WaitAsync(TestContext.Current.CancellationToken);

        Assert.Equal("a", Encoding.UTF8.GetString(BytesOf(log.Read(0)!).Span));
        Assert.Equal(3, log.Exit?.ExitCode);
        Assert.Null(log.Read(1));
    }

    private static Google.Protobuf.ByteString BytesOf(ProcessOutput output) =>
        output.KindCase == ProcessOutput.KindOneofCase.Stderr ? output.Stderr : output.Stdout;
}

using Oriel.Egress.Dialing;
using Oriel.Egress.Policy;
using Oriel.Egress.Proxy;
using Oriel.Tests.Dns;

namespace Oriel.Tests.Fuzz;

/// <summary>What guests, targets, upstream proxies and keepers say to the server's egress, each parser as the gateway uses it.</summary>
public sealed class EgressFuzzTests
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public void RequestHead_Mutated_IsReadOrRefusedPlainly() =>
        Fuzzer.Run(
            "http-request",
            input =>
            {
                try
                {
                    var request = HttpRequestHead.Parse(input);
                    Assert.True(HostPattern.IsHostName(request.Host), request.Host);
                    Assert.InRange(request.Port, 1, 65535);
                    _ = request.WantsClose;
                    var framing = request.Head.Framing(BodyKind.None);
                    if (request.IsConnect)
                    {
                        return;
                    }

                    // What goes on to the target is one head, framed as it was judged to be.
                    var sent = request.Head.Rewrite(
                        $"{request.Method} {request.OriginForm} HTTP/1.1",
                        new HeadChange { Host = request.Authority, KeepUpgrade = request.IsUpgrade }
                    );
                    Assert.Equal(sent.Length - 4, sent.AsSpan().IndexOf("\r\n\r\n"u8));
                    var parsed = HttpHead.Parse(sent);
                    Assert.Equal(framing, parsed.Framing(BodyKind.None));
                    Assert.Equal(request.Authority, parsed.Values("Host").Single());
                }
                catch (HttpFormatException)
                {
                    // Answered 400.
                }
            },
            iterations: 10_000,
            form: FuzzForm.Text
        );

    [Fact]
    public void Response_Mutated_IsCopiedOrRefusedPlainly() =>
        Fuzzer.Run(
            "http-response",
            input =>
            {
                var reader = new HttpReader(new Scripted(input.ToArray(), piece: (input.Length % 7) + 1));
                var copied = new MemoryStream();
                long counted = 0;
                try
                {
                    while (Await(reader.ReadHeadAsync(Stop)) is { } bytes)
                    {
                        Assert.InRange(bytes.Length, 1, HttpReader.MaxHeadBytes);
                        var head = HttpHead.Parse(bytes, isResponse: true);
                        var framing = head.Framing(BodyKind.UntilClose);
                        var sent = HttpHead.Parse(head.Rewrite(head.StartLine, new HeadChange()));
                        Assert.Equal(framing, sent.Framing(BodyKind.UntilClose));
                        Await(HttpBody.CopyAsync(reader, copied, framing, count => counted += count, Stop));
                    }
                }
                catch (HttpFormatException)
                {
                    // Answered 502, or the connection is cut.
                }

                Assert.Equal(counted, copied.Length);
                Assert.InRange(copied.Length, 0, input.Length);
            },
            iterations: 5_000,
            form: FuzzForm.Text
        );

    [Fact]
    public void Preamble_Mutated_IsReadOrRefusedPlainly() =>
        Fuzzer.Run(
            "preamble",
            input =>
            {
                try
                {
                    var reader = new HttpReader(new Scripted(input.ToArray(), piece: 512));
                    if (Await(PreambleReader.ReadAsync(reader, TimeSpan.FromSeconds(30), Stop)) is { } preamble)
                    {
                        Assert.NotEmpty(preamble.DesktopId);
                        Assert.InRange(preamble.Port, 0, 65535);
                        HostPattern.IsHostName(HostPattern.Normalize(preamble.Host ?? preamble.Address ?? ""));
                    }
                }
                catch (HttpFormatException)
                {
                    // Closed without a word.
                }
            },
            iterations: 10_000,
            form: FuzzForm.Json
        );

    [Theory]
    [InlineData("upstream-http", UpstreamType.Http)]
    [InlineData("upstream-socks5", UpstreamType.Socks5)]
    public void UpstreamAnswer_Mutated_IsAYesOrANo(string seeds, UpstreamType type)
    {
        string[] hosts = ["www.example.org", "192.0.2.1", "2001:db8::1"];
        UpstreamProxy[] proxies = [new(type, "proxy.example", 1080), new(type, "proxy.example", 1080, "user", "password")];
        Fuzzer.Run(
            seeds,
            input =>
            {
                var (host, proxy) = (hosts[input.Length % hosts.Length], proxies[input.Length % proxies.Length]);
                var stream = new Scripted(input.ToArray(), piece: (input.Length % 3) + 1);
                try
                {
                    Await(
                        type == UpstreamType.Http
                            ? UpstreamHandshake.ConnectAsync(stream, host, 443, proxy, Stop)
                            : UpstreamHandshake.Socks5Async(stream, host, 443, proxy, Stop)
                    );
                }
                catch (IOException)
                {
                    // It broke off: upstream-failed.
                }

                Assert.InRange(stream.Taken, 0, 16 * 1024);
            },
            iterations: 10_000,
            form: type == UpstreamType.Http ? FuzzForm.Text : FuzzForm.Bytes
        );
    }

    [Theory]
    [InlineData("5\0\r\n")]
    [InlineData("0x5\r\n")]
    [InlineData("+5\r\n")]
    [InlineData(" 5\r\n")]
    [InlineData("\r\n")]
    [InlineData("7FFFFFFFFFFFFFFFF\r\n")]
    public void ParseChunkSize_WhatIsNoHexNumber_IsRefused(string line) =>
        Assert.Throws<HttpFormatException>(() => HttpBody.ParseChunkSize(System.Text.Encoding.Latin1.GetBytes(line)));

    /// <summary>
    /// Writes the seeds of the DNS parser, which DnsResponderTests fuzzes; run it by name after a change of the questions.
    /// </summary>
    [Fact(Explicit = true)]
    public void DnsSeeds_Write()
    {
        var folder = Path.Combine(Structure.SourceTree.Root, "tests", "fuzz-seeds", "dns");
        Directory.CreateDirectory(folder);
        File.WriteAllBytes(Path.Combine(folder, "edns"), DnsMessages.Question("www.example.com", edns: true));
        File.WriteAllBytes(Path.Combine(folder, "reverse"), DnsMessages.Question("1.0.18.198.in-addr.arpa", DnsMessages.Ptr));
        File.WriteAllBytes(
            Path.Combine(folder, "longest"),
            DnsMessages.Question(string.Join('.', Enumerable.Repeat(new string('a', 61), 4)))
        );
        File.WriteAllBytes(Path.Combine(folder, "aaaa"), DnsMessages.Question("example.org", DnsMessages.Aaaa));
    }

    /// <summary>All that these streams do completes at once.</summary>
    private static T Await<T>(Task<T> task)
    {
        Assert.True(task.IsCompleted);
        return task.GetAwaiter().GetResult();
    }

    private static void Await(Task task)
    {
        Assert.True(task.IsCompleted);
        task.GetAwaiter().GetResult();
    }

    /// <summary>A peer that says what is scripted, in small pieces, and takes whatever it is told.</summary>
    private sealed class Scripted(byte[] script, int piece) : Stream
    {
        public int Taken { get; private set; }

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => true;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => Taken;
            set => throw new NotSupportedException();
        }

        public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

        public override int Read(Span<byte> buffer)
        {
            var count = Math.Min(Math.Min(piece, buffer.Length), script.Length - Taken);
            script.AsSpan(Taken, count).CopyTo(buffer);
            Taken += count;
            return count;
        }

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            ValueTask.FromResult(Read(buffer.Span));

        public override void Write(byte[] buffer, int offset, int count) { }

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) =>
            ValueTask.CompletedTask;

        public override void Flush() { }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();
    }
}

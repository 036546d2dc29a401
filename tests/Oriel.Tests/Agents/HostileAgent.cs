using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.IO.Compression;
using System.Security.Cryptography;
using Google.Protobuf;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Oriel.Protocol;
using Oriel.Protocol.Guest;

namespace Oriel.Tests.Agents;

/// <summary>
/// Root in the guest in the agent's place: it has the key and makes its answers byte by byte. All calls but the one that is attacked get
/// nothing but an honest Hello.
/// </summary>
internal sealed class HostileAgent : IAsyncDisposable
{
    public const string Bomb = "bomb",
        FlagAlone = "flag alone",
        EncodingAlone = "encoding alone",
        Oversized = "oversized",
        Silence = "silence",
        Flood = "flood",
        Words = "words",
        Output = "output";

    /// <summary>What unpacks to a hundred MiB fits well below any bound.</summary>
    private static readonly byte[] Packed = Pack(100 << 20);

    private readonly string _folder = Directory.CreateTempSubdirectory("oriel-hostile-").FullName;
    private readonly string _call;
    private readonly string _attack;
    private readonly int _length;
    private WebApplication? _host;
    private readonly TaskCompletionSource _sentEnough = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long _sent;
    private long _enough = long.MaxValue;

    /// <param name="call">Path of the attacked call.</param>
    /// <param name="length">Of the message in an oversized answer, as its prefix has it.</param>
    private HostileAgent(string call, string attack, int length) => (_call, _attack, _length) = (call, attack, length);

    public byte[] Key { get; } = RandomNumberGenerator.GetBytes(GuestRules.KeyBytes);

    public string SocketPath => Path.Combine(_folder, "agent.sock");

    /// <summary>Bytes of answers that the server took, or that wait on their way.</summary>
    public long Sent => Interlocked.Read(ref _sent);

    public ConcurrentQueue<string> Encodings { get; } = new();

    public static async Task<HostileAgent> StartAsync(string call, string attack, int length = 0)
    {
        var agent = new HostileAgent(call, attack, length);
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.Services.AddRouting();
        builder
            .WebHost.UseKestrelCore()
            .ConfigureKestrel(kestrel =>
            {
                kestrel.Limits.MinRequestBodyDataRate = null;
                kestrel.Limits.MinResponseDataRate = null;
                kestrel.ListenUnixSocket(agent.SocketPath, listen => listen.Protocols = HttpProtocols.Http2);
            });
        agent._host = builder.Build();
        agent._host.Run(agent.AnswerAsync);
        await agent._host.StartAsync(TestContext.Current.CancellationToken);
        return agent;
    }

    /// <summary>Waits until so many bytes were sent.</summary>
    public Task SentAsync(long bytes)
    {
        Interlocked.Exchange(ref _enough, bytes);
        Note(0);
        return _sentEnough.Task.WaitAsync(TimeSpan.FromSeconds(60), TestContext.Current.CancellationToken);
    }

    public async ValueTask DisposeAsync()
    {
        await _host!.StopAsync(new CancellationToken(canceled: true));
        await _host.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    private async Task AnswerAsync(HttpContext context)
    {
        Encodings.Enqueue(context.Request.Headers["grpc-accept-encoding"].ToString());
        context.Response.ContentType = "application/grpc";
        try
        {
            if (context.Request.Path == _call)
            {
                await AttackAsync(context);
            }
            else
            {
                await GreetAsync(context);
            }
        }
        catch (Exception e) when (e is OperationCanceledException or IOException)
        {
            // The server has given the call up.
        }
    }

    private async Task AttackAsync(HttpContext context)
    {
        switch (_attack)
        {
            case Bomb:
                context.Response.Headers["grpc-encoding"] = "gzip";
                await WriteAsync(context, 1, Packed.Length, Packed);
                break;
            case Output:
                var output = new ExecOutput { Stdout = ByteString.CopyFrom(new byte[512 * 1024]) }.ToByteArray();
                for (var sent = 0; sent < _length; sent += 512 * 1024)
                {
                    await WriteAsync(context, 0, output.Length, output);
                }

                var exit = new ExecOutput { Exit = new ExecExit() }.ToByteArray();
                await WriteAsync(context, 0, exit.Length, exit);
                break;
            case FlagAlone:
                await WriteAsync(context, 1, Packed.Length, Packed);
                break;
            case EncodingAlone:
                context.Response.Headers["grpc-encoding"] = "gzip";
                await WriteAsync(context, 0, 0, []);
                break;
            case Oversized:
                await WriteAsync(context, 0, _length, []);
                var piece = new byte[64 * 1024];
                for (long left = _length; left > 0; left -= piece.Length)
                {
                    await WriteAsync(context, piece);
                }

                break;
            case Words:
                context.Response.AppendTrailer("grpc-status", "2");
                context.Response.AppendTrailer(
                    "grpc-message",
                    Uri.EscapeDataString("\u001b[2J two\nlines " + new string('x', 2 * ForeignWords.Sentence))
                );
                return;
            case Silence:
                await Task.Delay(Timeout.Infinite, context.RequestAborted);
                break;
            case Flood:
                var messages = new byte[5 * 1000];
                while (true)
                {
                    await WriteAsync(context, messages);
                }
        }

        context.Response.AppendTrailer("grpc-status", "0");
    }

    private async Task GreetAsync(HttpContext context)
    {
        var prefix = new byte[5];
        await context.Request.Body.ReadExactlyAsync(prefix, context.RequestAborted);
        var body = new byte[BinaryPrimitives.ReadUInt32BigEndian(prefix.AsSpan(1))];
        await context.Request.Body.ReadExactlyAsync(body, context.RequestAborted);
        var session = RandomNumberGenerator.GetBytes(AgentProof.NonceLength);
        var proof = AgentProof.OfAgent(Key, HelloRequest.Parser.ParseFrom(body).ClientNonce.Span, session);
        var reply = new HelloReply { Session = ByteString.CopyFrom(session), Proof = ByteString.CopyFrom(proof) }.ToByteArray();
        await WriteAsync(context, 0, reply.Length, reply);
        context.Response.AppendTrailer("grpc-status", "0");
    }

    private async Task WriteAsync(HttpContext context, byte flag, int length, byte[] message)
    {
        var bytes = new byte[5 + message.Length];
        bytes[0] = flag;
        BinaryPrimitives.WriteInt32BigEndian(bytes.AsSpan(1), length);
        message.CopyTo(bytes, 5);
        await WriteAsync(context, bytes);
    }

    private async Task WriteAsync(HttpContext context, byte[] bytes)
    {
        var written = await context.Response.BodyWriter.WriteAsync(bytes, context.RequestAborted);
        if (written.IsCompleted || written.IsCanceled)
        {
            // Once the stream is reset, what is written is thrown away at once; that the call is aborted is told later.
            throw new OperationCanceledException();
        }

        Note(bytes.Length);
    }

    private void Note(int bytes)
    {
        if (Interlocked.Add(ref _sent, bytes) >= Interlocked.Read(ref _enough))
        {
            _sentEnough.TrySetResult();
        }
    }

    private static byte[] Pack(int length)
    {
        using var packed = new MemoryStream();
        using (var gzip = new GZipStream(packed, CompressionLevel.SmallestSize, leaveOpen: true))
        {
            var zeros = new byte[1 << 20];
            for (var at = 0; at < length; at += zeros.Length)
            {
                gzip.Write(zeros);
            }
        }

        return packed.ToArray();
    }
}

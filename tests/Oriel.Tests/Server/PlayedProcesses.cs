using System.Collections.Concurrent;
using System.Threading.Channels;
using Google.Protobuf;
using Grpc.Core;
using Oriel.Protocol.Guest;

namespace Oriel.Tests.Server;

/// <summary>The one process of a played guest: it has ended, or does what a test has it do.</summary>
internal sealed class PlayedProcesses
{
    public const string Id = "p1";

    private readonly Channel<ProcessOutput> _outputs = Channel.CreateUnbounded<ProcessOutput>();
    private long _written;

    /// <summary>Whether it runs until it is told to end.</summary>
    public bool Runs { get; init; }

    public ExecStart Started { get; private set; } = new();

    /// <summary>What it was given, in order.</summary>
    public BlockingCollection<ExecInput> Taken { get; } = [];

    public ProcessInfo Info =>
        new()
        {
            Id = Id,
            Pid = 1000,
            CommandLine = "played",
            Exit = Runs ? null : new ExecExit(),
        };

    public ProcessInfo Start(ExecStart start)
    {
        Started = start;
        return Info;
    }

    public ProcessInfo Find(string id) =>
        id == Id ? Info : throw new RpcException(new Status(StatusCode.NotFound, "there is no such process"));

    public ProcessInfo Take(ProcessControl control)
    {
        Taken.Add(control.Input);
        return Find(control.Id);
    }

    public void Write(string text, bool isError = false)
    {
        var bytes = ByteString.CopyFromUtf8(text);
        var output = new ProcessOutput { Offset = _written };
        _ = isError ? output.Stderr = bytes : output.Stdout = bytes;
        _written += bytes.Length;
        _outputs.Writer.TryWrite(output);
    }

    /// <summary>As if so many bytes had been dropped before somebody could read them.</summary>
    public void Drop(int bytes) => _written += bytes;

    public void End(int exitCode) =>
        _outputs.Writer.TryWrite(
            new ProcessOutput
            {
                Offset = _written,
                Exit = new ExecExit { ExitCode = exitCode },
            }
        );

    public async Task WatchAsync(
        WatchProcessRequest request,
        IServerStreamWriter<ProcessOutput> responses,
        CancellationToken cancellationToken
    )
    {
        Find(request.Id);
        await responses.WriteAsync(new ProcessOutput { Offset = request.From }, cancellationToken);
        if (!Runs)
        {
            await responses.WriteAsync(new ProcessOutput { Offset = request.From, Exit = new ExecExit() }, cancellationToken);
            return;
        }

        await foreach (var output in _outputs.Reader.ReadAllAsync(cancellationToken))
        {
            await responses.WriteAsync(output, cancellationToken);
            if (output.Exit is not null)
            {
                return;
            }
        }
    }
}

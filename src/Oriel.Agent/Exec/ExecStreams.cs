using Oriel.Linux.Descriptors;
using Oriel.Linux.Polling;
using Oriel.Linux.Processes;
using Oriel.Linux.Pty;

namespace Oriel.Agent.Exec;

/// <summary>Our ends of a command's standard streams: three pipes, or one terminal that is all three.</summary>
internal sealed class ExecStreams : IDisposable
{
    private readonly List<OwnedDescriptor> _childEnds = [];

    private ExecStreams(PseudoTerminal? terminal, AsyncDescriptor stdin, AsyncDescriptor stdout, AsyncDescriptor? stderr) =>
        (Terminal, Stdin, Stdout, Stderr) = (terminal, stdin, stdout, stderr);

    public PseudoTerminal? Terminal { get; }

    public AsyncDescriptor Stdin { get; }

    public AsyncDescriptor Stdout { get; }

    /// <summary>Null with a terminal.</summary>
    public AsyncDescriptor? Stderr { get; }

    public static (ExecStreams Streams, SpawnSpec Spec) Open(ExecSpec spec)
    {
        if (spec.Pty)
        {
            var terminal = PseudoTerminal.Open(spec.Spec.Credentials, spec.Columns, spec.Rows);
            var slave = terminal.Slave;
            return (
                new ExecStreams(terminal, terminal.Master, terminal.Master, null),
                spec.Spec with
                {
                    Stdin = slave,
                    Stdout = slave,
                    Stderr = slave,
                }
            );
        }

        var (stdinReader, stdin) = AsyncDescriptor.CreateWriter();
        var (stdout, stdoutWriter) = AsyncDescriptor.CreateReader();
        var (stderr, stderrWriter) = AsyncDescriptor.CreateReader();
        var streams = new ExecStreams(null, stdin, stdout, stderr);
        streams._childEnds.AddRange([stdinReader, stdoutWriter, stderrWriter]);
        return (streams, spec.Spec with { Stdin = stdinReader, Stdout = stdoutWriter, Stderr = stderrWriter });
    }

    /// <summary>Once the child has its own copies.</summary>
    public void CloseChildEnds()
    {
        Terminal?.Slave.Dispose();
        _childEnds.ForEach(end => end.Dispose());
    }

    public void Dispose()
    {
        CloseChildEnds();
        Terminal?.Dispose();
        Stdin.Dispose();
        Stdout.Dispose();
        Stderr?.Dispose();
    }
}

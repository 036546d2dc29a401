using System.Diagnostics;
using System.Globalization;
using System.Text;
using Oriel.Linux.Calls;

namespace Oriel.Linux.Processes;

/// <summary>A <see cref="HostProgram"/> from its start to its end.</summary>
internal sealed class ProgramRun : IDisposable
{
    private const int MaxErrors = 2000;

    /// <summary>What is killed ends within milliseconds, or hangs in the kernel: then it is left behind.</summary>
    private static readonly TimeSpan KillPatience = TimeSpan.FromSeconds(5);

    private readonly HostProgram _program;
    private readonly Process _process;
    private readonly CancellationToken _cancelled;
    private readonly CancellationTokenSource _limit;
    private readonly StringBuilder _output = new();
    private readonly StringBuilder _errors = new();
    private readonly Lock _lines = new();

    public ProgramRun(HostProgram program, Process process, CancellationToken cancellationToken)
    {
        (_program, _process, _cancelled) = (program, process, cancellationToken);
        _limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        _limit.CancelAfter(program.Deadline);
    }

    private bool HasPrintedTooMuch => _output.Length > _program.MaxOutput;

    public void Dispose()
    {
        _limit.Dispose();
        _process.Dispose();
    }

    public async Task<ProgramEnd> EndAsync()
    {
        var input = TellAsync();
        try
        {
            await Task.WhenAll(
                OrCancelAsync(input),
                OrCancelAsync(HearAsync()),
                OrCancelAsync(ReadAsync(_process.StandardError, KeepError)),
                _process.WaitForExitAsync(_limit.Token)
            );
        }
        catch (Exception e)
        {
            await KillAsync();
            _cancelled.ThrowIfCancellationRequested();
            if (e is not OperationCanceledException)
            {
                throw;
            }

            return End(HasPrintedTooMuch ? ProgramOutcome.PrintedTooMuch : ProgramOutcome.TimedOut, isRead: true);
        }

        return End(ProgramOutcome.Ended, await input);
    }

    private ProgramEnd End(ProgramOutcome outcome, bool isRead)
    {
        var exit = _process.HasExited ? ChildExit.FromExitCode(_process.ExitCode) : ChildExit.FromWaitStatus(ProcessCalls.SigKill);
        var fault = outcome switch
        {
            ProgramOutcome.TimedOut => string.Create(
                CultureInfo.InvariantCulture,
                $"{_program.Name} did not end within {_program.Deadline.TotalSeconds:0.#} s"
            ),
            ProgramOutcome.PrintedTooMuch => $"{_program.Name} printed more than {_program.MaxOutput} characters",
            _ when exit.ExitCode != 0 => $"{_program.Name} ended with {exit}",
            _ when !isRead => $"{_program.Name} reported success but did not read what it was to do",
            _ => null,
        };
        var output = HasPrintedTooMuch ? _output.ToString(0, _program.MaxOutput) : _output.ToString();
        return new ProgramEnd(outcome, exit, output, _errors.ToString(), fault);
    }

    private async Task KillAsync()
    {
        ProcessTree.Kill(_process);
        await Task.WhenAny(_process.WaitForExitAsync(CancellationToken.None), Task.Delay(KillPatience, CancellationToken.None));
    }

    /// <summary>When one part fails, the others must not wait for a program that nobody serves.</summary>
    private async Task OrCancelAsync(Task part)
    {
        try
        {
            await part;
        }
        catch
        {
            await _limit.CancelAsync();
            throw;
        }
    }

    /// <returns>False where the program ended before it had read all: then its exit and its words say why.</returns>
    private async Task<bool> TellAsync()
    {
        try
        {
            await _process.StandardInput.WriteAsync(_program.Input.AsMemory(), _limit.Token);
            _process.StandardInput.Close();
            return true;
        }
        catch (IOException)
        {
            return false;
        }
    }

    private async Task HearAsync()
    {
        if (_program.ReadOutput is not { } read)
        {
            await ReadAsync(_process.StandardOutput, KeepOutput);
            return;
        }

        await read(_process.StandardOutput.BaseStream, _limit.Token);
        _process.StandardOutput.Close();
    }

    private async Task ReadAsync(StreamReader reader, Action<ReadOnlyMemory<char>> keep)
    {
        if (_program.OnLine is { } onLine)
        {
            await ReadLinesAsync(reader, onLine, keep);
            return;
        }

        var buffer = new char[4096];
        while (await reader.ReadAsync(buffer.AsMemory(), _limit.Token) is > 0 and var count)
        {
            keep(buffer.AsMemory(0, count));
        }
    }

    private async Task ReadLinesAsync(StreamReader reader, Action<string> onLine, Action<ReadOnlyMemory<char>> keep)
    {
        while (await reader.ReadLineAsync(_limit.Token) is { } line)
        {
            keep($"{line}\n".AsMemory());
            lock (_lines)
            {
                onLine(line);
            }
        }
    }

    private void KeepOutput(ReadOnlyMemory<char> text)
    {
        if (_program.OnLine is not null)
        {
            return;
        }

        _output.Append(text);
        if (HasPrintedTooMuch)
        {
            _limit.Cancel();
        }
    }

    private void KeepError(ReadOnlyMemory<char> text)
    {
        _errors.Append(text);
        _errors.Remove(0, Math.Max(0, _errors.Length - MaxErrors));
    }
}

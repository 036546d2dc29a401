using Oriel.Linux.Processes;
using Oriel.Tests.Shared;

namespace Oriel.Tests.Processes;

public sealed class HostProgramTests : IDisposable
{
    /// <summary>Makes the file $0, and reads it with a child for ever.</summary>
    private const string Family = """: > "$0"; tail -f "$0" & wait""";

    /// <summary>A child that names $0 in its arguments and prints without end.</summary>
    private const string Talkers = """yes "y $0"; :""";

    /// <summary>No program of these tests takes long; one that should end and does not fails the test by this.</summary>
    private static readonly TimeSpan Ample = TimeSpan.FromMinutes(2);

    /// <summary>All processes of a test that start others have it among their arguments.</summary>
    private readonly string _directory = Directory.CreateTempSubdirectory("oriel-program-").FullName;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private string Started => Path.Combine(_directory, "started");

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public async Task RunAsync_Succeeds_GivesBothOutputs()
    {
        var end = await Shell("echo one; echo two >&2").RunAsync(Token);
        Assert.Equal((ProgramOutcome.Ended, "one\n", "two\n"), (end.Outcome, end.Output, end.Errors));
        Assert.True(end.Succeeded);
        Assert.Null(end.Problem);
    }

    [Fact]
    public async Task RunAsync_ExitCode_IsToldWithTheLastWords()
    {
        var end = await Shell("echo before; echo no room >&2; exit 3").RunAsync(Token);
        Assert.Equal((new ChildExit(3, 0), "before\n"), (end.Exit, end.Output));
        Assert.Equal("sh ended with exit code 3", end.Fault);
        Assert.Equal("sh ended with exit code 3: no room", end.Problem);
    }

    [Fact]
    public async Task RunAsync_Signal_IsTold()
    {
        var end = await Shell("kill -TERM $$").RunAsync(Token);
        Assert.Equal((ProgramOutcome.Ended, new ChildExit(143, 15), "sh ended with signal 15"), (end.Outcome, end.Exit, end.Problem));
    }

    [Theory]
    [InlineData("oriel-no-such-program", "oriel-no-such-program is not installed")]
    [InlineData("/nowhere/program", "/nowhere/program is not installed")]
    [InlineData("/etc/passwd", "/etc/passwd cannot be started: permission denied")]
    public async Task RunAsync_ProgramThatCannotBeStarted_SaysWhy(string program, string problem)
    {
        var end = await new HostProgram(program, "--version").RunAsync(Token);
        Assert.Equal((ProgramOutcome.NotStarted, problem, 127), (end.Outcome, end.Problem, end.Exit.ExitCode));
        Assert.Equal(problem, (await Assert.ThrowsAsync<ProgramException>(() => new HostProgram(program).OutputAsync(Token))).Message);
    }

    [Fact]
    public async Task RunAsync_Deadline_KillsTheTree()
    {
        var end = await new HostProgram("sh", "-c", Family, Started) { Deadline = TimeSpan.FromSeconds(0.5) }.RunAsync(Token);
        Assert.Equal((ProgramOutcome.TimedOut, new ChildExit(137, 9)), (end.Outcome, end.Exit));
        Assert.Equal("sh did not end within 0.5 s", end.Fault);
        await NobodyIsLeftAsync();
    }

    [Fact]
    public async Task RunAsync_Cancelled_KillsTheTree()
    {
        using var cancel = CancellationTokenSource.CreateLinkedTokenSource(Token);
        var run = new HostProgram("sh", "-c", Family, Started) { Deadline = Ample }.RunAsync(cancel.Token);
        await Eventually.HoldsAsync(() => File.Exists(Started), () => $"it did not start; {run.Status}", Ample);
        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => run);
        await NobodyIsLeftAsync();
    }

    [Fact]
    public async Task RunAsync_CancelledBefore_StartsNothing()
    {
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() =>
            new HostProgram("touch", Started).RunAsync(new CancellationToken(canceled: true))
        );
        Assert.False(File.Exists(Started));
    }

    [Fact]
    public async Task RunAsync_OutputWithoutEnd_IsKilledAtTheBound()
    {
        var end = await new HostProgram("sh", "-c", Talkers, Started) { MaxOutput = 3, Deadline = Ample }.RunAsync(Token);
        Assert.Equal((ProgramOutcome.PrintedTooMuch, "y /"), (end.Outcome, end.Output));
        Assert.Equal("sh printed more than 3 characters", end.Problem);
        await NobodyIsLeftAsync();
    }

    [Fact]
    public async Task RunAsync_OutputOfExactlyTheBound_IsGiven() =>
        Assert.Equal("12345", await new HostProgram("printf", "12345") { MaxOutput = 5 }.OutputAsync(Token));

    [Fact]
    public async Task RunAsync_ManyErrors_TheLastAreKept()
    {
        var end = await Shell("seq 20000 >&2; echo the end >&2; exit 1").RunAsync(Token);
        Assert.Equal(2000, end.Errors.Length);
        Assert.EndsWith("\n20000\nthe end\n", end.Errors);
    }

    [Fact]
    public async Task RunAsync_Input_IsReadWhileOutputIsWritten()
    {
        var text = new string('x', 1_000_000);
        Assert.Equal(text, await new HostProgram("cat") { Input = text, Deadline = Ample }.OutputAsync(Token));
    }

    [Fact]
    public async Task RunAsync_NoInput_IsEmpty() => Assert.Equal("", await new HostProgram("cat") { Deadline = Ample }.OutputAsync(Token));

    [Theory]
    [InlineData("exit 0", "sh reported success but did not read what it was to do")]
    [InlineData("echo refused >&2; exit 1", "sh ended with exit code 1: refused")]
    public async Task RunAsync_InputThatIsNotRead_IsAFault(string script, string problem)
    {
        var program = new HostProgram("sh", "-c", script) { Input = new string('x', 1_000_000), Deadline = Ample };
        Assert.Equal(problem, (await program.RunAsync(Token)).Problem);
    }

    [Fact]
    public async Task RunAsync_OnLine_GetsTheLinesOfBothOutputs()
    {
        var lines = new List<string>();
        var program = new HostProgram("sh", "-c", "echo one; echo two; echo bad >&2; exit 1") { OnLine = lines.Add, MaxOutput = 1 };
        var end = await program.RunAsync(Token);
        Assert.Equal(["bad", "one", "two"], lines.Order(StringComparer.Ordinal));
        Assert.Equal(("", "sh ended with exit code 1: bad"), (end.Output, end.Problem));
    }

    [Fact]
    public async Task RunAsync_ReaderThatFails_EndsTheProgramAndThrows()
    {
        var program = new HostProgram("sh", "-c", Talkers, Started)
        {
            ReadOutput = (_, _) => throw new InvalidDataException("no archive"),
            Deadline = Ample,
        };
        Assert.Equal("no archive", (await Assert.ThrowsAsync<InvalidDataException>(() => program.RunAsync(Token))).Message);
        await NobodyIsLeftAsync();
    }

    [Fact]
    public async Task RunAsync_ReaderThatHasEnough_EndsTheProgramByABrokenPipe()
    {
        var program = new HostProgram("yes") { ReadOutput = async (stream, token) => await stream.ReadExactlyAsync(new byte[2], token) };
        var end = await program.RunAsync(Token);
        Assert.Equal((ProgramOutcome.Ended, ""), (end.Outcome, end.Output));
        Assert.False(end.Succeeded);
    }

    /// <summary>What the caller's locale is must not show in messages.</summary>
    [Fact]
    public async Task RunAsync_Locale_IsTheSameForAll() => Assert.Equal("C.UTF-8\n", await Shell("echo $LC_ALL").OutputAsync(Token));

    private static HostProgram Shell(string script) => new("sh", "-c", script) { Deadline = Ample };

    private Task NobodyIsLeftAsync() =>
        Eventually.HoldsAsync(() => Left() == 0, () => $"{Left()} processes are left", TimeSpan.FromSeconds(10));

    private int Left() => ProcessTable.ReadAll().Count(entry => Arguments(entry.Pid).Contains(_directory, StringComparison.Ordinal));

    private static string Arguments(int pid)
    {
        try
        {
            return File.ReadAllText($"/proc/{pid}/cmdline");
        }
        catch (IOException)
        {
            return "";
        }
    }
}

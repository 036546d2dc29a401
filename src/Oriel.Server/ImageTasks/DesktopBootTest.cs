using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using Grpc.Core;
using Oriel.Agents;
using Oriel.Desktops.Events;
using Oriel.Desktops.Lifecycle;
using Oriel.Desktops.Loop;
using Oriel.Desktops.Templates;
using Oriel.Images.Building;
using Oriel.Images.Store;
using Oriel.Images.Tools;
using Oriel.Protocol;
using Oriel.Protocol.Display;
using Oriel.Protocol.Guest;
using Oriel.Protocol.Layout;
using Oriel.Server.Composition;
using Oriel.Server.Configuration;
using StepState = Oriel.Desktops.Lifecycle.StepState;

namespace Oriel.Server.ImageTasks;

/// <summary>
/// Makes a desktop of the image in a server of its own (its own data directory, any free ports): the desktop must become ready, which
/// proves its session, a terminal, a browser, a first frame and its way out; then a screenshot, and keys typed into the terminal must
/// arrive at its shell.
/// </summary>
internal sealed class DesktopBootTest(string dataDirectory, TimeProvider clock) : IImageBootTest
{
    private const int Width = 1280;
    private const int Height = 720;

    /// <summary>A PNG of an empty screen of this size is a tenth of it; panel, terminal and browser make more.</summary>
    private const int LeastScreenshotBytes = 8 * 1024;

    /// <summary>Far more than a busy machine of two cores needs; each step of the creation has a deadline of its own.</summary>
    private static readonly TimeSpan Deadline = TimeSpan.FromMinutes(4);

    private static readonly TimeSpan KeyboardDeadline = TimeSpan.FromSeconds(45);

    public async Task<ImageBootTest> RunAsync(
        ImageManifest image,
        string imageDirectory,
        Action<string> report,
        CancellationToken cancellationToken
    )
    {
        var steps = new List<ImageBootStep>();
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(Deadline);
        string? reason;
        try
        {
            reason = await TemporaryServer.RunAsync(
                dataDirectory,
                "boot",
                clock,
                Prepare,
                server => TryDesktopAsync(server, image, steps, report, limit.Token),
                limit.Token
            );
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            reason =
                $"it did not end within {Deadline.TotalMinutes:0} minutes; last passed: {(steps.Count == 0 ? "nothing" : steps[^1].Name)}";
        }

        report(reason is null ? "boot test passed" : $"boot test failed: {reason}");
        return new ImageBootTest(reason is null, clock.GetUtcNow(), steps, reason);

        ServeOptions Prepare(string place)
        {
            // A store with this one image: it is not usable yet, and the test must not take another of that name.
            var images = new DataLayout(place).Images;
            Directory.CreateDirectory(images);
            Directory.CreateSymbolicLink(Path.Combine(images, Path.GetFileName(imageDirectory)), imageDirectory);
            return new ServeOptions
            {
                DataDirectory = place,
                MaxDesktops = 1,
                AllowUntestedImages = true,
            };
        }
    }

    /// <returns>Why it failed, or null.</returns>
    private static async Task<string?> TryDesktopAsync(
        ServerApplication server,
        ImageManifest image,
        List<ImageBootStep> steps,
        Action<string> report,
        CancellationToken cancellationToken
    )
    {
        var created = await server.Desktops.CreateAsync(Spec(image));
        if (created.Desktop is not { } desktop)
        {
            return created.Message;
        }

        try
        {
            var reason = await ReadyAsync(desktop, report, cancellationToken);
            steps.AddRange(
                desktop.View.Steps.Select(step => new ImageBootStep(step.Name, step.State == StepState.Done, step.ElapsedMs, step.Detail))
            );
            if (reason is not null)
            {
                return reason;
            }

            var agent = await server.Desktops.ConnectAgentAsync(desktop.Id, cancellationToken);
            return await StepAsync("screenshot", steps, report, () => ScreenshotAsync(agent, cancellationToken))
                ?? await StepAsync("keyboard", steps, report, () => KeyboardAsync(agent, cancellationToken));
        }
        finally
        {
            await desktop.DestroyAsync(DesktopReason.Of(ReasonCodes.Requested, "The boot test is over."), CancellationToken.None);
            await desktop.Destroyed;
        }
    }

    private static DesktopSpec Spec(ImageManifest image) =>
        DesktopSpec.Of(DesktopTemplate.Default) with
        {
            Name = "boot-test",
            Hostname = "boot-test",
            Image = image.Name,
            Width = Width,
            Height = Height,
        };

    private static async Task<string?> ReadyAsync(Desktop desktop, Action<string> report, CancellationToken cancellationToken)
    {
        await foreach (var happened in desktop.Events.ReadAsync(0, cancellationToken))
        {
            switch (happened.Data)
            {
                case StepEvent { State: StepState.Done } step:
                    report(string.Create(CultureInfo.InvariantCulture, $"boot test: {step.Name} {step.ElapsedMs:0} ms"));
                    break;
                case StateEvent { State: DesktopState.Ready }:
                    return null;
                case StateEvent { State: DesktopState.Failed or DesktopState.Destroying or DesktopState.Destroyed } state:
                    return state.Reason is { } why
                        ? $"{why.Message}{(why.LastSeen is { } seen ? $" Last seen: {seen}." : "")}{string.Concat(why.Log.Select(line => "\n    " + line))}"
                        : "the desktop ended";
            }
        }

        return "the desktop's events ended";
    }

    private static async Task<string?> ScreenshotAsync(AgentConnection agent, CancellationToken cancellationToken)
    {
        var shot = await agent.Display.ScreenshotAsync(new ScreenshotRequest(), cancellationToken: cancellationToken);
        if ((shot.Width, shot.Height) != (Width, Height))
        {
            return $"the screen is {shot.Width}x{shot.Height}, not {Width}x{Height}";
        }

        return shot.Png.Length >= LeastScreenshotBytes ? null : $"the screenshot has {shot.Png.Length} bytes: next to nothing is drawn";
    }

    /// <summary>A shell waits on a pipe that only keys typed into the terminal write to.</summary>
    private static async Task<string?> KeyboardAsync(AgentConnection agent, CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(KeyboardDeadline);
        var word = "oriel" + Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(4));
        var seen = "";
        try
        {
            var terminal = await TerminalAsync(agent, limit.Token);
            using var exec = agent.Guest.Exec(cancellationToken: limit.Token);
            await exec.RequestStream.WriteAsync(
                new ExecInput
                {
                    Start = new ExecStart
                    {
                        Command = "/bin/sh",
                        Args = { "-c", "mkfifo /tmp/keys && echo waiting && cat /tmp/keys && rm /tmp/keys" },
                        TimeoutMs = (long)KeyboardDeadline.TotalMilliseconds,
                    },
                },
                limit.Token
            );
            await exec.RequestStream.WriteAsync(new ExecInput { EndOfStdin = true }, limit.Token);
            using var input = agent.Display.Input(cancellationToken: limit.Token);
            using var arrived = CancellationTokenSource.CreateLinkedTokenSource(limit.Token);
            var typing = Task.CompletedTask;
            try
            {
                await foreach (var output in exec.ResponseStream.ReadFairlyAsync(limit.Token))
                {
                    switch (output.KindCase)
                    {
                        case ExecOutput.KindOneofCase.Stdout:
                            if (seen.Length == 0)
                            {
                                typing = TypeUntilAsync(input.RequestStream, terminal, $"echo {word} > /tmp/keys", arrived.Token);
                            }

                            seen += output.Stdout.ToStringUtf8();
                            break;
                        case ExecOutput.KindOneofCase.Exit:
                            return seen.Contains(word, StringComparison.Ordinal)
                                ? null
                                : $"the typed line did not arrive; seen: '{seen.Trim()}', exit code {output.Exit.ExitCode}";
                    }
                }
            }
            finally
            {
                await arrived.CancelAsync();
                await typing;
            }

            return $"exec ended without an exit code; seen: '{seen.Trim()}'";
        }
        catch (Exception e) when (e is RpcException or OperationCanceledException && !cancellationToken.IsCancellationRequested)
        {
            return $"keys typed into the terminal did not reach its shell; seen: '{seen.Trim()}' ({(e as RpcException)?.Status.Detail ?? $"after {KeyboardDeadline.TotalSeconds:0} s"})";
        }
    }

    private static async Task<Window> TerminalAsync(AgentConnection agent, CancellationToken cancellationToken)
    {
        using var watch = agent.Display.Watch(new WatchRequest(), cancellationToken: cancellationToken);
        await foreach (var happened in watch.ResponseStream.ReadFairlyAsync(cancellationToken))
        {
            if (happened.Windows?.Windows.FirstOrDefault(window => window.Mapped && window.Title == "CLI Terminal") is { } terminal)
            {
                return terminal;
            }
        }

        throw new OperationCanceledException();
    }

    /// <summary>
    /// Clicks and types again until it has arrived: a browser that has just finished loading takes the keyboard from the terminal that was
    /// clicked a moment before.
    /// </summary>
    private static async Task TypeUntilAsync(IClientStreamWriter<InputEvent> input, Window terminal, string line, CancellationToken arrived)
    {
        using var again = new PeriodicTimer(TimeSpan.FromSeconds(4));
        try
        {
            do
            {
                await TypeAsync(input, terminal, line, arrived);
            } while (await again.WaitForNextTickAsync(arrived));
        }
        catch (Exception e) when (e is OperationCanceledException or RpcException)
        {
            // It has arrived, or the deadline has passed: the reader says which.
        }
    }

    private static async Task TypeAsync(
        IClientStreamWriter<InputEvent> input,
        Window terminal,
        string line,
        CancellationToken cancellationToken
    )
    {
        // Near its left edge, where no other window lies over it: the click gives it the keyboard.
        var (x, y) = (terminal.X + 40, terminal.Y + ((int)terminal.Height / 2));
        await input.WriteAsync(
            new InputEvent
            {
                Move = new PointerMove { X = x, Y = y },
            },
            cancellationToken
        );
        await input.WriteAsync(
            new InputEvent
            {
                Button = new PointerButton
                {
                    X = x,
                    Y = y,
                    Button = 0,
                    Down = true,
                },
            },
            cancellationToken
        );
        await input.WriteAsync(
            new InputEvent
            {
                Button = new PointerButton
                {
                    X = x,
                    Y = y,
                    Button = 0,
                    Down = false,
                },
            },
            cancellationToken
        );
        await input.WriteAsync(new InputEvent { Text = line }, cancellationToken);
        await input.WriteAsync(
            new InputEvent
            {
                Key = new Key
                {
                    Code = "Enter",
                    Key_ = "Enter",
                    Down = true,
                },
            },
            cancellationToken
        );
        await input.WriteAsync(
            new InputEvent
            {
                Key = new Key
                {
                    Code = "Enter",
                    Key_ = "Enter",
                    Down = false,
                },
            },
            cancellationToken
        );
    }

    private static async Task<string?> StepAsync(string name, List<ImageBootStep> steps, Action<string> report, Func<Task<string?>> step)
    {
        var started = Stopwatch.GetTimestamp();
        string? problem;
        try
        {
            problem = await step();
        }
        catch (RpcException e)
        {
            problem = e.Status.Detail;
        }

        var elapsed = Stopwatch.GetElapsedTime(started).TotalMilliseconds;
        steps.Add(new ImageBootStep(name, problem is null, elapsed, problem));
        report(string.Create(CultureInfo.InvariantCulture, $"boot test: {name} {elapsed:0} ms"));
        return problem is null ? null : $"{name}: {problem}";
    }
}

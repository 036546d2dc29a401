using Oriel.Agent.Accounts;
using Oriel.Agent.Boot;
using Oriel.Agent.Exec;
using Oriel.Agent.Screens;
using Oriel.Agent.Variables;
using Oriel.Protocol;
using Oriel.Protocol.Boot;
using Oriel.Screen.X11.Raw;

namespace Oriel.Agent.Configuration;

/// <summary>Brings the X server to the configured size and layout before the first program sees it.</summary>
internal sealed class ScreenSetup(
    XDisplay display,
    SessionEnvironment environment,
    CommandRunner commands,
    AgentOptions options,
    BootConfig config
)
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(20);

    /// <summary>XFCE leaves the keyboard to X: what setxkbmap sets stays.</summary>
    private const string XfceKeyboard = """
        <?xml version="1.0" encoding="UTF-8"?>
        <channel name="keyboard-layout" version="1.0">
          <property name="Default" type="empty">
            <property name="XkbDisable" type="bool" value="true"/>
          </property>
        </channel>

        """;

    public static void Stage(StagedFiles staged, ConfigurationPlan plan, UserAccount user)
    {
        var config = Path.Combine(user.Home, ".config");
        staged.AddText(
            Path.Combine(config, "xfce4/xfconf/xfce-perchannel-xml/keyboard-layout.xml"),
            XfceKeyboard,
            GuestRules.DefaultMode,
            FileOwner.Of(user)
        );
        if (plan.StartUrl is { } url)
        {
            staged.AddText(Path.Combine(config, "oriel/start-url"), url.AbsoluteUri + "\n", GuestRules.DefaultMode, FileOwner.Of(user));
        }
    }

    /// <exception cref="IOException">X is not there in time, or refuses the layout.</exception>
    public async Task ApplyAsync(ConfigurationPlan plan, UserAccount user, CancellationToken cancellationToken)
    {
        if (options.Headless)
        {
            return;
        }

        XDisplayAddress address;
        try
        {
            address = await display.Ready.WaitAsync(Deadline * config.TimeScale, cancellationToken);
            InitialScreenSize.Apply(address, plan.Width, plan.Height);
        }
        catch (TimeoutException)
        {
            throw new IOException($"The X server was not ready within {(Deadline * config.TimeScale).TotalSeconds:0} s.");
        }
        catch (XException e)
        {
            throw new IOException($"The X server did not take the size {plan.Width}x{plan.Height}: {e.Message}");
        }

        (
            await commands.RunAsync(
                user,
                environment.For(user),
                Deadline,
                cancellationToken,
                ["setxkbmap", "-model", "pc105", "-layout", plan.Layout.Layout, "-variant", plan.Layout.Variant]
            )
        ).OrThrow("setxkbmap");
    }

    /// <summary>The layout in effect, as X tells it; empty when it cannot be asked.</summary>
    public async Task<string> ObserveLayoutAsync(UserAccount user, CancellationToken cancellationToken)
    {
        if (options.Headless)
        {
            return "";
        }

        var result = await commands.RunAsync(user, environment.For(user), Deadline, cancellationToken, "setxkbmap", "-query");
        var values = System
            .Text.Encoding.UTF8.GetString(result.Output)
            .Split('\n')
            .Select(line => line.Split(':', 2, StringSplitOptions.TrimEntries))
            .Where(pair => pair.Length == 2)
            .ToDictionary(pair => pair[0], pair => pair[1]);
        return values.TryGetValue("layout", out var layout)
            ? new KeyboardLayout(layout, values.GetValueOrDefault("variant", "")).ToString()
            : "";
    }
}

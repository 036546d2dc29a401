using Mono.Cecil;

namespace Oriel.Tests.Structure;

/// <summary>What tells the time is a clock, whoever has it.</summary>
public sealed class ClockTests
{
    [Theory]
    [MemberData(nameof(ArrowTests.Projects), MemberType = typeof(ArrowTests))]
    public void TimeProvider_FieldOrParameter_IsNamedClock(string project)
    {
        using var module = ModuleDefinition.ReadModule(Path.Combine(AppContext.BaseDirectory, ArrowTests.AssemblyOf(project) + ".dll"));
        var types = module.GetTypes().ToArray();
        var fields = types
            .SelectMany(type => type.Fields)
            .Where(field => IsClock(field.FieldType) && !field.Name.Contains("clock", StringComparison.OrdinalIgnoreCase))
            .Where(field => !field.Name.StartsWith('<') || field.Name.EndsWith(">P", StringComparison.Ordinal))
            .Select(field => field.FullName);
        var parameters = types
            .SelectMany(type => type.Methods)
            .Where(method => !method.IsSetter)
            .SelectMany(method => method.Parameters.Select(parameter => (method, parameter)))
            .Where(pair =>
                IsClock(pair.parameter.ParameterType) && !pair.parameter.Name.Equals("clock", StringComparison.OrdinalIgnoreCase)
            )
            .Select(pair => $"{pair.method.FullName}: {pair.parameter.Name}");
        Assert.Empty(fields.Concat(parameters));
    }

    private static bool IsClock(TypeReference type) => type.FullName == typeof(TimeProvider).FullName;
}

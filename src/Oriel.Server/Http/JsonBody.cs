using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Oriel.Protocol;

namespace Oriel.Server.Http;

/// <summary>Reads bounded JSON bodies; what is wrong with one becomes a problem with the reason, never an exception.</summary>
internal static class JsonBody
{
    /// <summary>A longer path is made of the body's own names and helps nobody.</summary>
    private const int MaxPath = 200;

    /// <summary>Sets the size that a body may have and describes it for OpenAPI.</summary>
    public static RouteHandlerBuilder Takes<T>(this RouteHandlerBuilder builder, long maxBytes)
        where T : notnull =>
        builder.Accepts<T>("application/json").WithMetadata(new Microsoft.AspNetCore.Mvc.RequestSizeLimitAttribute(maxBytes));

    public static async Task<(T? Value, IResult? Problem)> ReadAsync<T>(HttpContext context, JsonTypeInfo<T> type)
        where T : class
    {
        if (!context.Request.HasJsonContentType())
        {
            return (
                null,
                Problems.Of(
                    StatusCodes.Status415UnsupportedMediaType,
                    RequestReasons.UnsupportedMediaType,
                    "The body must be application/json."
                )
            );
        }

        try
        {
            using var body = new MemoryStream();
            await context.Request.Body.CopyToAsync(body, context.RequestAborted);
            var text = JsonIntegers.AsDigits(body.GetBuffer().AsMemory(0, (int)body.Length));
            return JsonSerializer.Deserialize(text.Span, type) is { } value
                ? (value, null)
                : (null, Problems.BadRequest("The body must be a JSON object."));
        }
        catch (JsonException e)
        {
            // The serializer's message names path and line, and may quote a little of the body: the path is enough.
            return (
                null,
                Problems.BadRequest(
                    $"The body is not the JSON that is expected{(e.Path is { Length: > 1 and <= MaxPath } path ? $", at {path}" : "")}."
                )
            );
        }
        catch (BadHttpRequestException e)
        {
            return (
                null,
                Problems.Of(
                    e.StatusCode,
                    e.StatusCode == StatusCodes.Status413PayloadTooLarge ? RequestReasons.TooLarge : RequestReasons.BadRequest,
                    e.Message
                )
            );
        }
    }
}

"""What is being built, and the documents that say so."""

from __future__ import annotations

from django.db import models

from policy.models import Project


class Feature(models.Model):
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="features")
    slug = models.CharField(max_length=200)
    title = models.CharField(max_length=300)
    status = models.CharField(max_length=40, blank=True)
    category = models.CharField(max_length=100, blank=True)
    description = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["title"]
        constraints = [models.UniqueConstraint(fields=["project", "slug"], name="one_feature_per_slug")]

    def __str__(self) -> str:
        return self.title


class Document(models.Model):
    """A planning document as it was when it was last read; the file in the repository is the original."""

    feature = models.ForeignKey(Feature, on_delete=models.CASCADE, related_name="documents")
    path = models.CharField(max_length=1000)
    doc_type = models.CharField(max_length=60, blank=True)
    title = models.CharField(max_length=300)
    status = models.CharField(max_length=40, blank=True)
    front_matter = models.JSONField(default=dict)
    digest = models.CharField(max_length=64)
    size = models.PositiveIntegerField(default=0)
    read_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["doc_type", "path"]
        constraints = [models.UniqueConstraint(fields=["feature", "path"], name="one_document_per_path")]

    def __str__(self) -> str:
        return self.path

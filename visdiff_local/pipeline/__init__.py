"""The steps of the pipeline: what each option asks of which model, on which half of the images.

The stages are plain functions over protocol objects; here they are handed the models of this run.
"""
